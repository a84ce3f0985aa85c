// Package war lets organizations that share a server do each other every harm
// that their credentials allow, with a real server and from one seed, while an
// oracle looks at everything that anybody receives: nothing crosses the wall.
//
// It also holds that the access tester of the API and the edge say the same,
// for rules and topics at random.
//
// make war, make war-mutants and make acl-agree are the long forms.
package war
