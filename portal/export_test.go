package portal

// RaceEnabled is whether the tests run with the race detector.
const RaceEnabled = raceEnabled
