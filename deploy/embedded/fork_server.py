"""How does the fork server outlive a signal to the supervisor's group?

It has a group of its own, and ends by its pipe alone.

Loaded by the server before it forks, and by nobody else: were it ended with the supervisor's group,
its children would be killed before they had said their last words.
"""

import os
import signal

os.setpgid(0, 0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
