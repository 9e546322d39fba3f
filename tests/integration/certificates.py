"""An authority of the tests' own, and what it signs, made with openssl."""

import pathlib
import subprocess
import tempfile

import server

OPENSSL = server.need("openssl")


class Authority:
    """Files in a folder that is removed with the object: ca.pem, and NAME.pem with NAME.key for each certificate."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._folder.name)
        self.file = self.folder / "ca.pem"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Test CA", "-days", "30",
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.folder / "ca.key", "-out", self.file)

    def close(self):
        self._folder.cleanup()

    def _run(self, *arguments):
        subprocess.run([OPENSSL, *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, timeout=60 * server.SLOW)

    def sign(self, name, subject="/CN=localhost", names="DNS:localhost,IP:127.0.0.1", kind="ec", days=90, passphrase=None):
        """The two files: the certificate and its key."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        kinds = {"ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("-newkey", "rsa:2048"), "rsa4096": ("-newkey", "rsa:4096")}
        secret = ("-nodes",) if passphrase is None else ("-passout", f"pass:{passphrase}")
        self._run("req", *kinds[kind], *secret, "-subj", subject, "-keyout", key, "-out", request)
        extensions = self.folder / f"{name}.ext"
        extensions.write_text("basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n"
                              "authorityKeyIdentifier=keyid\n" + (f"subjectAltName={names}\n" if names else ""), encoding="ascii")
        self._run("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", days,
                  "-extfile", extensions, "-out", certificate)
        return certificate, key
