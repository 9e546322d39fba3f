"""An authority of the tests' own, and what it signs, made with openssl."""

import pathlib
import subprocess
import tempfile
import time

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

    def sign_again(self, name, serial):
        """Another certificate for what sign() has made under that name, with the same key."""
        made = self.folder / f"{name}-{serial}.pem"
        self._run("x509", "-req", "-in", self.folder / f"{name}.csr", "-CA", self.file, "-CAkey", self.folder / "ca.key", "-set_serial", serial,
                  "-days", 90, "-extfile", self.folder / f"{name}.ext", "-out", made)
        return made

    def sign_until(self, name, seconds):
        """As sign(), for a client whose certificate expires so soon."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key,
                  "-out", request)
        (self.folder / "until.txt").write_text("", encoding="ascii")
        config = self.folder / "until.cnf"
        config.write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.folder / 'until.txt'}\nnew_certs_dir={self.folder}\n"
                          "default_md=sha256\npolicy=any\nrand_serial=yes\n[any]\ncommonName=supplied\n", encoding="ascii")
        until = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        self._run("ca", "-batch", "-notext", "-config", config, "-keyfile", self.folder / "ca.key", "-cert", self.file, "-enddate", until,
                  "-in", request, "-out", certificate)
        return certificate, key

    def serial(self, certificate):
        return subprocess.run([OPENSSL, "x509", "-noout", "-serial", "-in", str(certificate)], check=True, stdout=subprocess.PIPE,
                              text=True, timeout=60 * server.SLOW).stdout.strip().split("=")[1]

    def _index(self, letter, certificate, revoked=""):
        """The authority's list of what it signed, as openssl keeps it, with this certificate alone; None: with nothing."""
        index = self.folder / "index.txt"
        line = f"{letter}\t491231235959Z\t{revoked}\t{self.serial(certificate)}\tunknown\t/CN=any\n" if certificate else ""
        index.write_text(line, encoding="ascii")
        return index

    def revocation_list(self, name, certificate=None):
        """A file of a list that revokes the certificate, or nothing."""
        index = self._index("R", certificate, "260101000000Z")
        config, made = self.folder / "crl.cnf", self.folder / f"{name}.crl"
        config.write_text(f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\ndefault_md=sha256\ndefault_crl_days=20\n", encoding="ascii")
        self._run("ca", "-gencrl", "-config", config, "-keyfile", self.folder / "ca.key", "-cert", self.file, "-out", made)
        return made

    def ocsp_response(self, name, certificate, *arguments):
        """A file of DER that says that the certificate is good."""
        index = self._index("V", certificate)
        request, made = self.folder / f"{name}.req", self.folder / f"{name}.ocsp"
        self._run("ocsp", "-issuer", self.file, "-cert", certificate, "-no_nonce", "-reqout", request)
        self._run("ocsp", "-index", index, "-CA", self.file, "-rsigner", self.file, "-rkey", self.folder / "ca.key", "-reqin", request,
                  "-respout", made, *(arguments or ("-ndays", "7")))
        return made
