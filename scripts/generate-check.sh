#!/usr/bin/env bash
# Generates everything again and fails if that changes a file. Files that are
# changed but not committed yet are compared with themselves, not with HEAD.
set -euo pipefail
cd "$(dirname "$0")/.."

# state: a checksum of every file that git knows or would add.
state() {
	git -c safe.directory="$PWD" ls-files -z --cached --others --exclude-standard --deduplicate |
		while IFS= read -r -d '' file; do
			if [ -f "$file" ]; then sha256sum "$file"; fi
		done
}

before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
state >"$before"
go generate ./...
state >"$after"
if ! diff -q "$before" "$after" >/dev/null; then
	echo "generated files are not fresh; run make generate and commit:" >&2
	diff "$before" "$after" | sed -n 's/^> [0-9a-f]*  /  /p' >&2
	exit 1
fi
