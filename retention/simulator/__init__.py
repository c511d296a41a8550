"""The simulated vendor for staging, the demo and the tests. Production code never imports it."""
