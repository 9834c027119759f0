"""Jobs of pipelines as far as their identity goes: what GitHub Actions and GitLab CI sign, by a sample issuer.

`GitHubJob` also stands where a job of GitHub Actions fetches it: an address and a secret, in its environment. It
listens on loopback only, and is for demos and tests, never for real use.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from issuer import LOOPBACK

if TYPE_CHECKING:
    from issuer import SampleIssuer

REPOSITORY: Final = "hospital-ai/triage"
COMMIT: Final = "9fceb02d0ae598e95dc970b74767f19372d61af8"


def github(commit: str = COMMIT, run: str = "8222997048", repository: str = REPOSITORY) -> dict[str, Any]:
    """The claims that GitHub Actions signs for a job on the main branch, beside those that every bearer has."""
    owner = repository.partition("/")[0]
    workflow = f"{repository}/.github/workflows/deploy.yaml@refs/heads/main"
    return {
        "sub": f"repo:{repository}:environment:production",
        "repository": repository,
        "repository_owner": owner,
        "repository_owner_id": "65123",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "ref_protected": "true",
        "sha": commit,
        "run_id": run,
        "run_number": "42",
        "run_attempt": "1",
        "workflow_ref": workflow,
        "job_workflow_ref": workflow,
        "actor": "priya-raman",
        "event_name": "push",
        "environment": "production",
        "runner_environment": "github-hosted",
    }


def gitlab(commit: str = COMMIT, pipeline: str = "1519139981", project: str = REPOSITORY) -> dict[str, Any]:
    """The claims that GitLab signs for a job on the protected main branch, beside those that every bearer has."""
    return {
        "sub": f"project_path:{project}:ref_type:branch:ref:main",
        "namespace_id": "72",
        "namespace_path": project.partition("/")[0],
        "project_id": "46573356",
        "project_path": project,
        "user_id": "184239",
        "user_login": "priya-raman",
        "pipeline_id": pipeline,
        "pipeline_source": "push",
        "job_id": "8222997048",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
        "sha": commit,
        "environment": "production",
        "runner_id": 12270835,
    }


def minted(issuer: SampleIssuer, claims: dict[str, Any], **more: Any) -> str:
    """Sign a job's bearer: these issuers say `JWT` in the header and know no groups."""
    said = {"groups": None, **claims, **more}
    return issuer.mint(said.pop("sub"), headers={"typ": "JWT"}, **said)


class GitHubJob:
    """A job that may fetch bearers (`id-token: write`); `with GitHubJob(issuer) as job:` serves until its end."""

    def __init__(self, issuer: SampleIssuer, claims: dict[str, Any] | None = None, lifetime: int = 300) -> None:
        self.issuer, self.claims, self.lifetime = issuer, claims or github(), lifetime
        self.secret = secrets.token_urlsafe(16)
        self.fetched = 0
        """How many bearers it was given."""
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _answering(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the job's steps find."""
        url = f"http://{LOOPBACK}:{self._server.server_address[1]}/idtoken?api-version=2.0"
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.secret}

    def bearer(self) -> str:
        """What the job would fetch."""
        now = int(time.time())
        return minted(self.issuer, self.claims, iat=now, nbf=now - 300, exp=now + self.lifetime)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _answering(job: GitHubJob) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            audience = parse_qs(urlsplit(self.path).query).get("audience")
            if self.headers.get("authorization") != f"Bearer {job.secret}" or audience != [job.issuer.audience]:
                self.send_error(403)
                return
            job.fetched += 1
            raw = json.dumps({"count": 1, "value": job.bearer()}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Say nothing: a request's line can hold what it should not."""

    return Answering
