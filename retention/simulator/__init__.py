"""The simulated vendor, for staging, the demo and the tests. The engine never imports it."""
