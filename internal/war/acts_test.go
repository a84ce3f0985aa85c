package war_test

// acts are what a soldier can think of. The weights say how often, of the sum
// of all: a good half are messages of its own organization's, so that there is
// something to be lost or overheard.
var acts = []act{
	{1000, publish},
	{80, publishByAlias},
	{100, intrude},
	{160, eavesdrop},
	{60, tune},
	{40, retain},
	{40, recall},
	{30, rejoin},
	{20, replace},
	{20, die},
	{5, bequeath},
	{5, impersonate},
	{5, garble},
	{30, broadcast},
	{20, push},
	{60, trespass},
	{20, stray},
	{10, undermine},
	{4, rise},
	{30, inspect},
	{60, correspond},
}
