"""Connections from an address of their own that send something again and again, reading what comes: a process apart.

    python hammer.py PORT FROM MANY SECONDS AGAIN < what is sent

It ends by itself after SECONDS, or when its standard input is gone, and says how many connections it opened. Apart,
because its threads would keep the test's own client waiting for the interpreter.
"""

import contextlib
import socket
import sys
import threading
import time

HOST = "127.0.0.1"


def main(port: int, source: str, many: int, seconds: float, again: bool) -> None:
    sent, until, opened = sys.stdin.buffer.read(), time.monotonic() + seconds, [0] * many

    def once(place: int) -> None:
        with socket.create_connection((HOST, port), 5, (source, 0)) as wire:
            opened[place] += 1
            sys.stdout.write(f"{place}\n")
            sys.stdout.flush()
            wire.sendall(sent)
            while time.monotonic() < until and wire.recv(65536):
                if not again:
                    return
                wire.sendall(sent)

    def run(place: int) -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                once(place)
            time.sleep(0.001)

    for place in range(many):
        threading.Thread(target=run, args=(place,), daemon=True).start()
    time.sleep(seconds)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5] == "again")
