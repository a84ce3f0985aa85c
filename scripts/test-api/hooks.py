"""Credentials for schemathesis, as TEST_API_AS says: an owner, who signs in again
and again as any of the requests may be the end of that; an API key; or the
operator, whose token counts for a minute and is made from the master key as
auth.OperatorKey makes it."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time

import requests
import schemathesis


def operator_token(master: bytes) -> str:
    """The salt of HKDF is absent, which stands for zeros (RFC 5869)."""
    extracted = hmac.digest(bytes(32), master, hashlib.sha256)
    key = hmac.digest(extracted, b"fanfare operator 1\x01", hashlib.sha256)
    said = int(time.time() * 1000).to_bytes(8, "big") + secrets.token_bytes(16)
    signed = said + hmac.digest(key, said, hashlib.sha256)
    return "ffo_" + base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def owner_token() -> str:
    """What is no token after the organization was deleted."""
    answer = requests.post(os.environ["TEST_API_URL"] + "/v1/login", json=json.loads(os.environ["TEST_API_OWNER"]), timeout=30)
    return answer.json().get("token", "ffs_gone")


@schemathesis.auth(refresh_interval=20)
class Bearer:
    def get(self, case, context):
        match os.environ["TEST_API_AS"]:
            case "owner":
                return owner_token()
            case "operator":
                return operator_token(base64.b64decode(os.environ["FANFARE_MASTER_KEY"]))
        return os.environ["TEST_API_KEY"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Of an If-Match of digits alone schemathesis believes that it follows the
    description. It becomes a version that nothing has."""
    if (case.headers or {}).get("If-Match", "").isdigit():
        case.headers["If-Match"] = '"999999999999"'
