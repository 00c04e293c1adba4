"""A small S3 client for tests (signature version 4), so that they need no other tool to fill and read a bucket."""
import datetime
import hashlib
import hmac
import os
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

import pytest

XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Client:
    def __init__(self, endpoint: str, access_key: str, secret_key: str):
        self.endpoint, self.access_key, self.secret_key = endpoint.rstrip("/"), access_key, secret_key

    def request(self, method: str, path: str, query: dict[str, str] | None = None, body: bytes = b"") -> bytes:
        host = urllib.parse.urlsplit(self.endpoint).netloc
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        target = urllib.parse.quote(path, safe="/~")
        pairs = "&".join(f"{urllib.parse.quote(k, safe='~')}={urllib.parse.quote(v, safe='~')}"
                         for k, v in sorted((query or {}).items()))
        digest = hashlib.sha256(body).hexdigest()
        signed = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
        canonical = "\n".join([method, target, pairs, *(f"{k}:{v}" for k, v in signed.items()), "",
                               ";".join(signed), digest])
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret_key).encode()
        for part in (now[:8], "us-east-1", "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        signed["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
                                   f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}")
        url = self.endpoint + target + ("?" + pairs if pairs else "")
        request = urllib.request.Request(url, data=body if method in ("PUT", "POST") else None, method=method,
                                         headers=signed)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.read()

    def create_bucket(self, bucket: str) -> None:
        self.request("PUT", f"/{bucket}")

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self.request("PUT", f"/{bucket}/{key}", body=content)

    def get(self, bucket: str, key: str) -> bytes:
        return self.request("GET", f"/{bucket}/{key}")

    def list(self, bucket: str, prefix: str = "") -> list[str]:
        keys, token = [], None
        while True:
            query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
            if token:
                query["continuation-token"] = token
            answer = ET.fromstring(self.request("GET", f"/{bucket}", query))
            keys += [urllib.parse.unquote(one.findtext(XML + "Key")) for one in answer.iter(XML + "Contents")]
            token = answer.findtext(XML + "NextContinuationToken")
            if not token:
                return keys


def client_of_environment() -> Client:
    """The server that VOLARY_TEST_S3_* names (./check starts one); without it the test is skipped, and says so."""
    try:
        return Client(os.environ["VOLARY_TEST_S3_ENDPOINT"], os.environ["VOLARY_TEST_S3_ACCESS_KEY"],
                      os.environ["VOLARY_TEST_S3_SECRET_KEY"])
    except KeyError as missing:
        pytest.skip(f"{missing} is not set: start test/servers/start-rgw.sh")
