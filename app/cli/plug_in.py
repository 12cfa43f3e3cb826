"""The commands that the program `warren` has where this package is installed."""

COMMANDS = {
    "keys": ("app.cli.keys:keys", "Make, list, revoke and rotate API keys."),
    "audit": ("app.cli.audit:audit", "Print who changed what."),
    "broker": ("app.cli.broker:main", "Make users of RabbitMQ, and what it lacks."),
    "doctor": ("app.cli.doctor:doctor", "Look for what is wrong with RabbitMQ."),
    "deadletters": ("app.cli.dead_letters:main", "List, show, replay and purge dead letters."),
}
"""Of each command where it is, and what it does. Nothing is imported before one is run."""
