"""The whole system as real processes on loopback, for the demo, the crash test and the benchmarks."""
