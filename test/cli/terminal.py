# SPDX-License-Identifier: Apache-2.0
# terminal.py COLUMNS ROWS PROGRAM ARGUMENT... : runs a program in a terminal of its own. Each line of
# stdin is a JSON string, typed into it once it has drawn again, or [COLUMNS, ROWS]: the terminal's new size;
# its whole output comes at the end.
import fcntl, json, os, pty, select, struct, sys, termios, time

columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(command[0], command)
out = b""


def read(frames):
    """Until so many more screens were drawn, one at least if it is paused, or the program has ended."""
    global out
    before = out.count(b"\x1b[H")
    end = time.time() + 60
    while time.time() < end and (drawn := out.count(b"\x1b[H") - before) < frames:
        if select.select([fd], [], [], 2 if drawn else 60)[0]:
            try:
                more = os.read(fd, 65536)
            except OSError:
                return False
            if not more:
                return False
            out += more
        elif drawn:
            break
    return True


read(2)
for line in sys.stdin:
    what = json.loads(line)
    if isinstance(what, str):
        os.write(fd, what.encode())
    else:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", what[1], what[0], 0, 0))
    if not read(2):
        break
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(out)
sys.exit(status)
