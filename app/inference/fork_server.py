"""The first module that the fork server imports: it gives the server a session of low priority.

The children share the session, so that many models that compute weigh together as much as one. A
child whose work nobody waits for leads a session of its own. No other module imports this one.
"""

from app.runtime import lower_priority

NICENESS = 5  # the models in the consumer's own process have priority, because each run is short

lower_priority(NICENESS)
