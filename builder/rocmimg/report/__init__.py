"""Tables, JSON, JUnit, SARIF and HTML from results."""
