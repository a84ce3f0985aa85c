package serve

// For tests.
var (
	ConnectionsFor = connectionsFor
	OpenFiles      = openFiles
)
