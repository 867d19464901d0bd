"""The shop's web service: a small server that really fails of what makes such services fail.

It reads /etc/web/web.conf when it starts and refuses what it cannot use; it writes each request into its log and cannot
serve where that fails; it asks the database that it depends on; it runs the release that was deployed; and after SIGUSR1
it keeps more memory than it may, as after a request that goes wrong."""

import importlib.util
import os
import signal
import socketserver
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIGURATION = Path("/etc/web/web.conf")
LOG = Path("/var/log/web/access.log")
RELEASE = Path("/opt/web/current/release.py")
MEBIBYTE = 1 << 20

kept = []


def say(level, text):
    print(f"{level} {text}", flush=True)


def configuration():
    values = {}
    for number, line in enumerate(CONFIGURATION.read_text().splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            key, separator, value = line.partition("=")
            if not separator:
                sys.exit(say("ERROR", f"configuration error: {CONFIGURATION} line {number}: no `=` in `{line}`") or 78)
            values[key.strip()] = value.strip()
    for key in ("port", "pool_size", "cache_mib"):
        if not values.get(key, "").isdigit():
            sys.exit(say("ERROR", f"configuration error: {CONFIGURATION}: invalid value for {key}: {values.get(key)!r} is not a number") or 78)
    return values


def release():
    spec = importlib.util.spec_from_file_location("release", RELEASE)
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module


def grow(mebibytes, seconds):
    for _ in range(mebibytes):
        kept.append(bytearray(os.urandom(4096) * 256))
        time.sleep(seconds / mebibytes)


def leak(*_):
    say("WARN", "request POST /import keeps its rows in memory: 2100000 rows")
    threading.Thread(target=grow, args=(512, 10), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        code, text = 200, "ok"
        try:
            text = self.server.release.answer(self.path)
            with LOG.open("a") as log:
                log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} GET {self.path} 200\n")
            if url := self.server.settings.get("database"):
                urllib.request.urlopen(url, timeout=1).read()
        except (urllib.error.URLError, TimeoutError) as error:
            code, text = 503, f"could not connect to database {self.server.settings.get('database_host', 'orders')}: {getattr(error, 'reason', error)}"
        except OSError as error:
            code, text = 500, f"cannot write {LOG}: {error.strerror}"
        except Exception as error:
            code, text = 500, f"unhandled {type(error).__name__}: {error} (release {self.server.release.VERSION})"
        if code != 200:
            say("ERROR", f"GET {self.path} {code} {text}")
        body = (text + "\n").encode()
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = True  # The laboratory keeps the port with a socket that does not listen.

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # Without asking for the host's name.


def main():
    settings = configuration()
    server = Server(("127.0.0.1", int(settings["port"])), Handler)
    server.settings = settings
    server.release = release()
    signal.signal(signal.SIGUSR1, leak)
    threading.Thread(target=grow, args=(max(int(settings["cache_mib"]), 1), 3), daemon=True).start()
    say("INFO", f"web {server.release.VERSION} listens on port {settings['port']} with a pool of {settings['pool_size']}")
    server.serve_forever()


main()
