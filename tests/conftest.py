"""What every test starts from, however the test runner was started."""

import signal
import threading

# A shell leaves SIGINT ignored for a command in the background, and processes inherit that.
if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):
    signal.signal(signal.SIGINT, signal.default_int_handler)
