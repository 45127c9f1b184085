"""`./remediator`: lists the projects that name the stack's secret, and undoes a repair when a person asks for it."""
