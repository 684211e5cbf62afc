// The console, live.
