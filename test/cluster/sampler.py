# Remembers every command line and environment of every process, ten times a second, until the file argv[1] is there;
# then writes them, one after another, to argv[1].seen.
import os
import sys
import time

seen = set()
while not os.path.exists(sys.argv[1]):
    for pid in os.listdir("/proc"):
        for name in ("cmdline", "environ") if pid.isdigit() else ():
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    seen.add(file.read().replace(b"\0", b"\n"))
            except OSError:
                pass
    time.sleep(0.1)
with open(sys.argv[1] + ".new", "wb") as file:
    file.write(b"\n====\n".join(seen))
os.rename(sys.argv[1] + ".new", sys.argv[1] + ".seen")
