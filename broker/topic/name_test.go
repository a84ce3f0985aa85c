package topic_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fanfare-mq/fanfare/broker/topic"
)

func TestValidName(t *testing.T) {
	tests := []struct {
		title, name string
		want        error
	}{
		{"one level", "a", nil},
		{"levels", "acme/chat/users/ana", nil},
		{"one slash, two empty levels [MQTT-4.7.3]", "/", nil},
		{"empty levels", "a//b/", nil},
		{"space and case", "Accounts payable", nil},
		{"reserved, but well formed", "$SYS/uptime", nil},
		{"beyond ASCII", "caffè/日本/🎺", nil},
		{"byte order mark is kept [MQTT-1.5.3-3]", "\ufeffa", nil},
		{"longest", strings.Repeat("x", topic.MaxLength), nil},
		{"deepest", strings.Repeat("/", topic.MaxLevels-1), nil},
		{"empty [MQTT-4.7.3-1]", "", topic.ErrEmpty},
		{"too long [MQTT-4.7.3-3]", strings.Repeat("x", topic.MaxLength+1), topic.ErrTooLong},
		{"too deep", strings.Repeat("/", topic.MaxLevels), topic.ErrTooManyLevels},
		{"NUL [MQTT-4.7.3-2]", "a/\x00", topic.ErrNUL},
		{"stray byte [MQTT-1.5.3-1]", "a/\xff", topic.ErrNotUTF8},
		{"surrogate [MQTT-1.5.3-1]", "a/\xed\xa0\x80", topic.ErrNotUTF8},
		{"overlong slash", "a\xc0\xafb", topic.ErrNotUTF8},
		{"plus [MQTT-3.3.2-2]", "a/+/b", topic.ErrWildcardInName},
		{"hash [MQTT-3.3.2-2]", "a/#", topic.ErrWildcardInName},
		{"wildcard inside a level", "a+b", topic.ErrWildcardInName},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			if err := topic.ValidName(tt.name); !errors.Is(err, tt.want) {
				t.Errorf("ValidName(%.40q) = %v, want %v", tt.name, err, tt.want)
			}
		})
	}
}
