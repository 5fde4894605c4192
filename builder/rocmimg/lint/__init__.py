"""Rules over any Dockerfile: how it is read, what each rule finds, what is waived and what can be fixed."""
