"""What a look of the Ghost costs at a large table: time, the host's memory, and what the database did for it; beside
ydata-profiling on a sample of the same table.

    python3 benches/ghost/bench.py target/release/pi-host [--rows 10000000] [--sample 1000000] [--json]

Makes a PostgreSQL of its own (as the user `postgres` where it is started by root, since PostgreSQL refuses that), a shop
with 20 columns of orders over 120 days, and a project; looks twice, the second time after a day more of rows with a
change in them (one payment channel's totals are null, one country is gone); then takes a sample of the table and lets
ydata-profiling report on it, in a virtual environment of its own, filled from PyPI. Every value is a hash of its row's
number, so that two runs look at the same data.

The first look is told a zone in which yesterday is not over yet, so that yesterday's rows can be the day that is new:
that zone ends at 18:00 UTC. `--keep` leaves the cluster and the environment in the folder, and a later run with the same
`--folder` takes them up again (the day is taken out before it is put in).
"""

import argparse
import datetime
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

DAYS = 120
YDATA = "ydata-profiling==4.18.4"
YDATA_MINUTES = 20
SAMPLED_EVERY_S = 0.1

# A hash of a row's number and of what it is for: the same in each run, and in whatever order rows are made.
SCHEMA = """
CREATE FUNCTION unit(i bigint, k bigint) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT (hashint8extended(i, k) & 1099511627775) / 1099511627776.0::double precision $$;
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, email text, country text NOT NULL,
    segment text NOT NULL, created_at timestamp NOT NULL);
CREATE TABLE products (id integer PRIMARY KEY, sku text NOT NULL UNIQUE, category text NOT NULL,
    list_price numeric(10,2) NOT NULL, is_active boolean NOT NULL);
CREATE TABLE stores (id integer PRIMARY KEY, name text NOT NULL, city text NOT NULL, opened_on date NOT NULL);
INSERT INTO customers SELECT i, 'Customer ' || i, 'c' || i || '@example.org',
    (ARRAY['CH','DE','FR','IT','AT','NL','BE','ES'])[1 + floor(8 * unit(i, 101))::int],
    (ARRAY['consumer','business','public'])[1 + floor(3 * unit(i, 102) ^ 2)::int],
    timestamp '2021-01-01' + unit(i, 103) * interval '1400 days' FROM generate_series(1, 200000) AS i;
INSERT INTO products SELECT i, 'SKU-' || lpad(i::text, 6, '0'),
    (ARRAY['books','toys','food','tools','garden','music','sports','health'])[1 + floor(8 * unit(i, 111))::int],
    round((2 + 300 * unit(i, 112) ^ 3)::numeric, 2), unit(i, 113) < 0.9 FROM generate_series(1, 5000) AS i;
INSERT INTO stores SELECT i, 'Store ' || i, 'City ' || (1 + floor(60 * unit(i, 121))::int),
    date '2010-01-01' + floor(5000 * unit(i, 122))::int FROM generate_series(1, 200) AS i;
CREATE TABLE orders (
    id bigint NOT NULL, ordered_at timestamp NOT NULL, loaded_at timestamp NOT NULL, customer_id integer NOT NULL,
    product_id integer NOT NULL, store_id integer, status text NOT NULL, channel text NOT NULL, country text NOT NULL,
    currency text NOT NULL, quantity integer NOT NULL, unit_price numeric(10,2) NOT NULL, discount double precision,
    total numeric(12,2), email text, phone text, is_gift boolean NOT NULL, note text, attributes jsonb,
    reference uuid NOT NULL);
"""

INDEXES = """
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX orders_ordered_at ON orders (ordered_at);
CREATE INDEX orders_customer_id ON orders (customer_id);
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id);
ALTER TABLE orders ADD FOREIGN KEY (product_id) REFERENCES products (id);
CREATE EXTENSION pg_stat_statements;
CREATE ROLE ghost LOGIN;
GRANT USAGE ON SCHEMA public TO ghost;
GRANT SELECT ON customers, products, stores, orders TO ghost;
GRANT pg_read_all_stats TO ghost;
ALTER ROLE ghost SET log_min_duration_statement = 0;
"""

# Weekends have two thirds of the rows of other days, nights few. `{total}` and `{where}` are where the day more differs.
ORDERS = """
INSERT INTO orders
SELECT i, ordered_at, ordered_at + (60 + 240 * unit(i, 1)) * interval '1 second',
    1 + floor(200000 * unit(i, 2) ^ 1.5)::int, 1 + floor(5000 * unit(i, 3) ^ 2)::int,
    CASE WHEN unit(i, 4) < 0.4 THEN 1 + floor(200 * unit(i, 5))::int END,
    CASE WHEN unit(i, 6) < 0.90 THEN 'delivered' WHEN unit(i, 6) < 0.94 THEN 'shipped' WHEN unit(i, 6) < 0.97 THEN 'paid'
        WHEN unit(i, 6) < 0.99 THEN 'cancelled' ELSE 'returned' END,
    channel, country, CASE country WHEN 'CH' THEN 'CHF' WHEN 'UK' THEN 'GBP' WHEN 'US' THEN 'USD' ELSE 'EUR' END,
    quantity, price, CASE WHEN unit(i, 7) < 0.3 THEN round(unit(i, 8)::numeric / 2, 3)::double precision END,
    {total}, 'c' || (1 + floor(200000 * unit(i, 2) ^ 1.5)::int) || '@example.org',
    CASE WHEN unit(i, 9) < 0.6 THEN '+41 79 ' || lpad(floor(10000000 * unit(i, 10))::int::text, 7, '0') END,
    unit(i, 11) < 0.05, CASE WHEN unit(i, 12) < 0.1 THEN 'leave at door ' || substr(md5(i::text), 1, 20) END,
    jsonb_build_object('device', (ARRAY['phone','desktop','tablet'])[1 + floor(3 * unit(i, 13))::int],
        'visits', floor(20 * unit(i, 14))::int),
    md5(i::text || 'reference')::uuid
FROM (SELECT i, day + (unit(i, 15) + unit(i, 16)) / 2 * interval '24 hours' AS ordered_at,
        (ARRAY['web','app','phone','store'])[1 + floor(4 * unit(i, 17) ^ 1.5)::int] AS channel,
        (ARRAY['CH','DE','FR','IT','AT','NL','BE','ES','UK','US'])[1 + floor(10 * unit(i, 18) ^ 1.3)::int] AS country,
        1 + floor(6 * unit(i, 19) ^ 3)::int AS quantity, round((2 + 300 * unit(i, 20) ^ 3)::numeric, 2) AS price
    FROM (SELECT day, generate_series((1 + sum(rows) OVER (ORDER BY day) - rows)::bigint, (sum(rows) OVER (ORDER BY day))::bigint) + {after} AS i
        FROM (SELECT timestamp '{first}' + d * interval '1 day' AS day,
                ({rows} * 1.102 / {days} * (CASE WHEN extract(isodow FROM timestamp '{first}' + d * interval '1 day') > 5 THEN 0.667
                    ELSE 1 END) * (0.98 + 0.04 * unit(d + {after}, 21)))::bigint AS rows
            FROM generate_series(0, {days} - 1) AS d) AS days) AS numbered) AS made
{where};
"""
TOTAL = "round((quantity * price)::numeric, 2)"
BROKEN = f"CASE WHEN channel = 'app' AND unit(i, 22) < 0.5 THEN NULL ELSE {TOTAL} END"

PROFILE = """
import json, sys, time
source, target, minimal = sys.argv[1], sys.argv[2], sys.argv[3] == "minimal"
begun = time.monotonic()
import pandas
from ydata_profiling import ProfileReport
frame = pandas.read_csv(source, parse_dates=["ordered_at", "loaded_at"])
read = time.monotonic()
ProfileReport(frame, title="orders", minimal=minimal, progress_bar=False).to_file(target)
print(json.dumps({"rows": len(frame), "read_s": read - begun, "profile_s": time.monotonic() - read}))
"""


def program(name):
    for folder in ["/usr/lib/postgresql/15/bin", "/usr/local/bin", "/usr/bin"]:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    sys.exit(f"there is no {name}: install PostgreSQL 15")


class Cluster:
    """A PostgreSQL with the configuration that it comes with, and what it needs to count its statements."""

    def __init__(self, folder):
        self.data = os.path.join(folder, "data")
        self.owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        # Short: the path of a socket has 107 bytes at most.
        self.socket = tempfile.mkdtemp(prefix="pg-", dir="/tmp")
        if self.owner:
            os.chown(self.socket, self.owner.pw_uid, self.owner.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if not os.path.exists(self.data):
            os.mkdir(self.data, 0o700)
            if self.owner:
                os.chown(self.data, self.owner.pw_uid, self.owner.pw_gid)
            self.as_owner([program("initdb"), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
                           "--no-sync", "-D", self.data], check=True, stdout=subprocess.DEVNULL)
        # The write-ahead log is kept small, since nobody would want these rows back; all that a reader meets is as it comes.
        settings = {"listen_addresses": "", "fsync": "off", "wal_level": "minimal", "max_wal_senders": "0",
                    "shared_preload_libraries": "pg_stat_statements", "track_io_timing": "on"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.log = open(os.path.join(folder, "postgres.log"), "a", encoding="utf-8")
        self.server = self.as_owner([program("postgres"), "-D", self.data, "-k", self.socket, "-p", str(self.port)]
                                    + options, wait=False, stdout=self.log, stderr=self.log)
        for _ in range(300):
            if self.try_sql("postgres", "SELECT 1") == "1":
                return
            time.sleep(0.1)
        sys.exit(f"PostgreSQL does not start: see {self.log.name}")

    def as_owner(self, command, wait=True, **options):
        user = {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []} if self.owner else {}
        start = subprocess.run if wait else subprocess.Popen
        return start(command, cwd="/", stdin=subprocess.DEVNULL, **user, **options)

    def psql(self, database, sql):
        return subprocess.run([program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-p",
                               str(self.port), "-U", "postgres", "-d", database, "-f", "-"],
                              input=sql, capture_output=True, text=True, check=False)

    def try_sql(self, database, sql):
        done = self.psql(database, sql)
        return done.stdout.strip() if done.returncode == 0 else None

    def sql(self, sql, database="shop"):
        done = self.psql(database, sql)
        if done.returncode != 0:
            sys.exit(f"psql: {done.stderr}")
        return done.stdout.strip()

    def json(self, sql):
        return json.loads(self.sql(f"SELECT COALESCE(json_agg(t), '[]') FROM ({sql}) AS t"))

    def url(self):
        return f"postgres://ghost@localhost:{self.port}/shop?host={self.socket}"

    def end(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(120)
        self.log.close()
        shutil.rmtree(self.socket, ignore_errors=True)


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_rows(cluster, rows):
    """All days but yesterday; and how many rows that is."""
    begun = time.monotonic()
    today = datetime.datetime.now(datetime.timezone.utc).date()
    first = today - datetime.timedelta(days=DAYS + 1)
    cluster.sql("CREATE DATABASE shop", "postgres")
    fill = ORDERS.format(total=TOTAL, where="", after=0, first=first, days=DAYS, rows=rows)
    cluster.sql(f"BEGIN; {SCHEMA} {fill} COMMIT;")
    cluster.sql(INDEXES)
    cluster.sql("CREATE SCHEMA bench; CREATE TABLE bench.made AS SELECT max(id) AS last FROM orders; "
                "GRANT USAGE ON SCHEMA bench TO ghost; GRANT SELECT ON bench.made TO ghost")
    cluster.sql("VACUUM ANALYZE")
    cluster.sql("CHECKPOINT")
    say(f"made in {time.monotonic() - begun:.0f} s")


def put_day(cluster, rows):
    """Yesterday: one channel loses half of its totals, and one country does not order."""
    last = int(cluster.sql("SELECT last FROM bench.made"))
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    cluster.sql(ORDERS.format(total=BROKEN, where="WHERE country <> 'AT'", after=last, first=yesterday, days=1,
                              rows=rows / DAYS) + "ANALYZE orders;")


def take_day_out(cluster):
    cluster.sql("DELETE FROM orders WHERE id > (SELECT last FROM bench.made)")
    cluster.sql("VACUUM ANALYZE orders")


def make_project(folder):
    project = os.path.join(folder, "project")
    shutil.rmtree(project, ignore_errors=True)
    os.mkdir(project)
    return project


def configure(project, url, offset_minutes, ghost):
    plugin = f"[plugins.ghost]\npath = {json.dumps(ghost)}\n" if ghost else ""
    with open(os.path.join(project, "pi.toml"), "w", encoding="utf-8") as file:
        file.write(f"""[databases.shop]
url = "{url}"

[heartbeat.daily]
agent = "ghost"
databases = ["shop"]
cron = "0 7 * * *"

[agents.ghost]
[agents.ghost.config]
utc_offset_minutes = {offset_minutes}

[grants.ghost.tools]
names = ["sql_databases", "sql_query", "memory_get", "memory_put", "chart"]
[grants.ghost.log]
[grants.sql.sql]
databases = ["shop"]
[grants.memory.keyvalue]
{plugin}""")


def warm(pi_host, folder, ghost):
    """The host compiles its plugins when it meets them first, which is no part of a look: it meets them here."""
    project = make_project(folder)
    sqlite3.connect(os.path.join(project, "empty.db")).execute("CREATE TABLE things (id INTEGER)").connection.close()
    configure(project, "sqlite:empty.db", 0, ghost)
    subprocess.run([pi_host, "heartbeat", "run", "daily"], cwd=project, check=False, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=surroundings(project))
    make_project(folder)


def surroundings(project):
    """Its own home: what is compiled and kept for a user stays out of the figures."""
    return {"PATH": os.environ["PATH"], "HOME": os.path.dirname(project)}


class Watch:
    """Samples a process while it runs, and whom it keeps busy."""

    def __init__(self, process, cluster=None):
        self.process, self.cluster = process, cluster
        self.peak = {"VmHWM": 0, "RssAnon": 0, "RssFile": 0}
        self.connections = self.active = self.workers = 0
        self.threads = [threading.Thread(target=self.memory)]
        if cluster:
            self.threads.append(threading.Thread(target=self.activity))
        for thread in self.threads:
            thread.start()

    def memory(self):
        path = f"/proc/{self.process.pid}/status"
        while self.process.poll() is None:
            try:
                with open(path, encoding="utf-8") as file:
                    for line in file:
                        name, _, value = line.partition(":")
                        if name in self.peak:
                            self.peak[name] = max(self.peak[name], int(value.split()[0]) // 1024)
            except (FileNotFoundError, ProcessLookupError):
                return
            time.sleep(0.02)

    def activity(self):
        """One session of its own that asks again and again, and is not counted."""
        sql = ("SELECT count(*) FILTER (WHERE backend_type = 'client backend'), "
               "count(*) FILTER (WHERE backend_type = 'client backend' AND state = 'active'), "
               "count(*) FILTER (WHERE backend_type = 'parallel worker') FROM pg_stat_activity WHERE usename = 'ghost'")
        command = [program("psql"), "-X", "-q", "-A", "-t", "-F", " ", "-h", self.cluster.socket, "-p",
                   str(self.cluster.port), "-U", "postgres", "-d", "shop"]
        asking = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while self.process.poll() is None:
            asking.stdin.write(sql + ";\n")
            asking.stdin.flush()
            counts = [int(count) for count in asking.stdout.readline().split()]
            self.connections = max(self.connections, counts[0])
            self.active = max(self.active, counts[1])
            self.workers = max(self.workers, counts[2])
            time.sleep(SAMPLED_EVERY_S)
        asking.stdin.close()
        asking.wait()

    def join(self):
        for thread in self.threads:
            thread.join()


DURATION = re.compile(r"^\S+ \S+ \S+ \[(\d+)\] LOG:  duration: ([0-9.]+) ms(?:  (?:statement|execute [^:]*): (.*))?$")


def read_log(path, begin):
    """What each statement of the role took, with all fetches of its cursor: the text and seconds, slowest first."""
    took, cursors, text = {}, {}, None
    with open(path, encoding="utf-8", errors="replace") as file:
        file.seek(begin)
        for line in file:
            found = DURATION.match(line)
            if not found or not found[3]:
                continue
            pid, milliseconds, text = found[1], float(found[2]), found[3]
            if text.startswith("DECLARE"):
                text = text.partition(" FROM ")[2].removeprefix("(")
                cursors[pid] = text
            elif text.startswith("FETCH"):
                text = cursors.get(pid, text)
            elif not text.startswith(("SELECT", "EXPLAIN", "WITH")):
                continue
            took[text] = took.get(text, 0.0) + milliseconds / 1e3
    return sorted(({"query": text, "seconds": seconds} for text, seconds in took.items()), key=lambda one: -one["seconds"])


def processor_s(pid):
    """Processor time of the processes that this one has started and that have ended."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def look(pi_host, project, cluster, statements):
    """One look: its time, its host's memory, what the database did."""
    cluster.sql("SELECT pg_stat_statements_reset()")
    log_begins = os.path.getsize(cluster.log.name)
    before = cluster.json("SELECT temp_bytes FROM pg_stat_database WHERE datname = 'shop'")[0]
    environment = surroundings(project)
    busy, busy_postgres, load = processor_s(os.getpid()), processor_s(cluster.server.pid), os.getloadavg()[0]
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        host = subprocess.Popen([pi_host, "heartbeat", "run", "daily"], cwd=project, env=environment,
                                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        watch = Watch(host, cluster)
        host.wait()
        taken = time.monotonic() - begun
        busy = processor_s(os.getpid()) - busy
        watch.join()
        output.seek(0)
        text = output.read()
    if host.returncode != 0:
        sys.exit(f"the look failed ({host.returncode}):\n{text}")
    time.sleep(1)
    busy_postgres = processor_s(cluster.server.pid) - busy_postgres
    where = "FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = 'ghost'"
    did = cluster.json(f"""SELECT sum(calls) AS calls, sum(total_exec_time) / 1e3 AS database_s,
        sum(shared_blks_hit) AS blocks_hit, sum(shared_blks_read) AS blocks_read,
        sum(temp_blks_written) AS temp_blocks, sum(rows) AS rows_given {where}""")[0]
    after = cluster.json("SELECT temp_bytes FROM pg_stat_database WHERE datname = 'shop'")[0]
    slowest = read_log(cluster.log.name, log_begins)
    report = subprocess.run([pi_host, "report", "show", "latest", "--json"], cwd=project, env=environment,
                            capture_output=True, text=True, check=False).stdout
    return {"wall_s": taken, "load": load, "host_cpu_s": busy, "postgres_cpu_s": busy_postgres, "host_rss_mb": watch.peak["VmHWM"], "host_anonymous_mb": watch.peak["RssAnon"],
            "host_file_mb": watch.peak["RssFile"], "connections": watch.connections, "active": watch.active,
            "parallel_workers": watch.workers, **did, "temp_mb": (after["temp_bytes"] - before["temp_bytes"]) >> 20,
            "statements": len(slowest), "longest_s": slowest[0]["seconds"] if slowest else 0.0,
            "slowest": slowest[:statements], "output": text, "report": json.loads(report) if report.strip() else None}


def profile(folder, cluster, sample):
    """ydata-profiling on so many rows, as its reader would call it; in its own words if that takes too long."""
    venv = os.path.join(folder, "venv")
    python = os.path.join(venv, "bin", "python")
    if not os.path.exists(os.path.join(venv, "bin", "ydata_profiling")):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", YDATA], check=True)
    rows = os.path.join(folder, "sample.csv")
    script = os.path.join(folder, "profile.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write(PROFILE)
    begun = time.monotonic()
    # Hashes again: every so-manieth row, spread over all days.
    with open(rows, "wb") as file:
        subprocess.run([program("psql"), "-X", "-q", "-h", cluster.socket, "-p", str(cluster.port), "-U", "postgres", "-d",
                        "shop", "-c", f"COPY (SELECT * FROM orders WHERE unit(id, 99) < 1.05 * {sample} / (SELECT "
                        f"count(*) FROM orders) LIMIT {sample}) TO STDOUT WITH (FORMAT csv, HEADER)"],
                       stdout=file, check=True)
    found = {"export_s": time.monotonic() - begun}
    for mode in ["full", "minimal"]:
        begun, busy = time.monotonic(), processor_s(os.getpid())
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "MPLBACKEND": "Agg",
                       "YDATA_PROFILING_NO_ANALYTICS": "True"}
        process = subprocess.Popen([python, script, rows, os.path.join(folder, "profile.html"), mode], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watch = Watch(process)
        try:
            output, errors = process.communicate(timeout=YDATA_MINUTES * 60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            watch.join()
            found[mode] = {"wall_s": None, "cpu_s": processor_s(os.getpid()) - busy, "rss_mb": watch.peak["VmHWM"],
                           "why": f"not done in {YDATA_MINUTES} minutes"}
            continue
        watch.join()
        taken = time.monotonic() - begun
        if process.returncode != 0:
            found[mode] = {"wall_s": None, "rss_mb": watch.peak["VmHWM"], "why": errors.strip()[-500:]}
            continue
        found[mode] = {"wall_s": taken, "cpu_s": processor_s(os.getpid()) - busy, "rss_mb": watch.peak["VmHWM"], **json.loads(output.strip().splitlines()[-1])}
        break
    os.remove(rows)
    return found


def show(result):
    looks = result["looks"]
    line = ("{:<44}" + "{:>14}" * len(looks)).format
    print(f"{result['rows']:,} rows x 20 columns, {result['table_mb']:,} MB with indexes; PostgreSQL {result['postgres']}")
    if not looks:
        return
    print(line("", *("first look", "second look")[:len(looks)]))
    names = [("wall time", "wall_s", "{:.1f} s"), ("load of the machine when it began", "load", "{:.1f}"),
             ("processor, the host", "host_cpu_s", "{:.1f} s"), ("processor, PostgreSQL", "postgres_cpu_s", "{:.1f} s"),
             ("host, resident at the peak", "host_rss_mb", "{} MB"),
             ("of it anonymous", "host_anonymous_mb", "{} MB"), ("of it files (the program itself)", "host_file_mb", "{} MB"),
             ("statements that read", "statements", "{}"), ("with those around them", "calls", "{}"), ("the database's time for them", "database_s", "{:.1f} s"),
             ("the longest", "longest_s", "{:.2f} s"), ("blocks from its cache", "blocks_hit", "{:,}"),
             ("blocks from outside of it", "blocks_read", "{:,}"), ("temporary files", "temp_mb", "{} MB"),
             ("rows given", "rows_given", "{:,}"), ("connections", "connections", "{}"), ("of them active at once", "active", "{}"),
             ("workers of its own beside", "parallel_workers", "{}")]
    for name, key, form in names:
        print(line(name, *(form.format(one[key]) for one in looks)))
    for at, one in enumerate(looks):
        for slow in one["slowest"]:
            print(f"look {at + 1}: {slow['seconds']:.2f} s: {slow['query'][:400]}")
    for mode in ["full", "minimal"]:
        if mode in result.get("ydata", {}):
            one = result["ydata"][mode]
            print(f"{YDATA} ({mode}), {result['sample']:,} rows: "
                  + (f"{one['wall_s']:.1f} s" if one["wall_s"] else one["why"]) + f", {one.get('cpu_s', 0):.0f} s of the processor, {one['rss_mb']:,} MB")
    if result.get("ratio"):
        print(f"the first look takes 1/{result['ratio']:.1f} of its time, 1/{result['ratio_cpu']:.1f} of its processor time")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pi_host")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--sample", type=int, default=1_000_000, help="rows for ydata-profiling; 0: without it")
    parser.add_argument("--folder", help="where everything is made; a temporary one if left out")
    parser.add_argument("--keep", action="store_true", help="leave the cluster in the folder")
    parser.add_argument("--ghost", help="a component in place of the built-in one")
    parser.add_argument("--looks", type=int, default=2, choices=[0, 1, 2])
    parser.add_argument("--statements", type=int, default=0, help="show so many of the slowest statements")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    pi_host = os.path.abspath(given.pi_host)
    ghost = given.ghost and os.path.abspath(given.ghost)
    if datetime.datetime.now(datetime.timezone.utc).hour >= 18 and given.looks:
        sys.exit("yesterday is over everywhere: run this before 18:00 UTC")
    folder = os.path.abspath(given.folder) if given.folder else tempfile.mkdtemp(prefix="ghost-bench-")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    cluster = Cluster(folder)
    try:
        if cluster.sql("SELECT count(*) FROM pg_database WHERE datname = 'shop'", "postgres") == "0":
            make_rows(cluster, given.rows)
        elif given.looks:
            take_day_out(cluster)
        count, size = cluster.sql("SELECT count(*), pg_total_relation_size('orders') >> 20 FROM orders").split("|")
        result = {"rows": int(count), "table_mb": int(size), "postgres": cluster.sql("SHOW server_version"), "looks": [],
                  "sample": given.sample}
        project = make_project(folder)
        if given.looks:
            warm(pi_host, folder, ghost)
            configure(project, cluster.url(), -18 * 60, ghost)
            result["looks"].append(look(pi_host, project, cluster, given.statements))
            say(f"first look: {result['looks'][0]['wall_s']:.1f} s")
        if given.looks > 1:
            put_day(cluster, given.rows)
            configure(project, cluster.url(), 0, ghost)
            result["looks"].append(look(pi_host, project, cluster, given.statements))
            say(f"second look: {result['looks'][1]['wall_s']:.1f} s")
        if given.sample:
            result["ydata"] = profile(folder, cluster, given.sample)
            done = next((one for one in result["ydata"].values() if isinstance(one, dict) and one["wall_s"]), None)
            if done and result["looks"]:
                first = result["looks"][0]
                result["ratio"] = done["wall_s"] / first["wall_s"]
                result["ratio_cpu"] = done["cpu_s"] / (first["host_cpu_s"] + first["postgres_cpu_s"])
        if given.json:
            print(json.dumps(result, indent=1))
        else:
            show(result)
            for one in result["looks"]:
                print(one["output"])
    finally:
        cluster.end()
        if not given.keep:
            shutil.rmtree(folder if not given.folder else cluster.data, ignore_errors=True)


if __name__ == "__main__":
    main()
