"""The gateway's own options (`--set NAME=VALUE`): name, default, what it is. mitmproxy's own are host/options.py's."""

from __future__ import annotations

import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds `addons/`: default paths start here, never in the working directory."""

OPTIONS = (
    ("phi_policy", str(ROOT / "rules" / "policy.yaml"), "The policy file."),
    ("phi_shadow", "", "A policy file that is asked beside the policy and only recorded; empty is none."),
    ("phi_journal", str(ROOT / "var" / "journal"), "The folder of the journal."),
    ("phi_journal_size", "256m", "How large a file of the journal grows before the next one is begun."),
    ("phi_journal_warn", "2g", "Free space below which the gateway says that the journal's disk is filling up."),
    ("phi_journal_stop", "256m", "Free space below which nothing new is let in."),
    ("phi_console", "127.0.0.1:8090", "host:port of the console; empty is off."),
    (
        "phi_secrets",
        str(ROOT / "var" / "keys" / "secrets"),
        "File (or env:NAME) of the keys for hashes and surrogates.",
    ),
    (
        "phi_ledger",
        f"sqlite+aiosqlite:///{ROOT / 'var' / 'ledger.db'}",
        "The database that all gateways share: a URL, or env:NAME where it holds a password.",
    ),
    ("phi_keys", str(ROOT / "var" / "keys"), "The folder of the gateway's own signing keys."),
    ("phi_grpc", "", "host:port of the endpoint for gRPC; empty is off."),
    ("phi_grpc_upstream", "", "Where models stand for gRPC that the policy gives no `grpc:` (grpc(s)://HOST:PORT)."),
    ("phi_grpc_cert", "", "PEM file of the gRPC endpoint's certificate chain; without it it listens in cleartext."),
    ("phi_grpc_key", "", "PEM file of that certificate's private key."),
    ("phi_was", "", "With `mitmdump -nr FILE`: policy files, with commas, that decided what was recorded."),
    ("phi_url", "", "The gateway's public base address; worked out on loopback only."),
    ("phi_console_url", "", "The console's public base address; worked out on loopback only."),
    (
        "phi_anchors",
        "",
        "Where checkpoints are kept beyond this host's reach: file:/PATH, syslog+tls://HOST:PORT, https://... (commas)",
    ),
    ("phi_connections", "16384", "Connections of callers at once; fewer where fewer files may be open."),
    ("phi_strangers", "512", "Those of them, of one address, on which no bearer was believed yet."),
    ("phi_upstream_connect", "10", "Seconds until a connection to a model server is made, TLS and all."),
    ("phi_upstream_silence", "600", "Seconds without a byte of an answer after which a model server is given up."),
    ("phi_leave_after", "0", "Seconds for which readiness says that the gateway leaves before it takes nothing new."),
    ("phi_leave_within", "20", "Seconds that exchanges under way then have to finish."),
    ("phi_instance", socket.gethostname() or "phigate", "The name of this gateway in records and metrics."),
)
