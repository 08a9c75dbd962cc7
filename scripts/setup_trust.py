"""Write the certificates that Python trusts, the first argument, as a Java trust store, the second.

The Java that set-up brings knows only its own list; behind a company's TLS proxy that is not enough.
Runs in the project's environment, since it needs the cryptography package.
"""

import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12


def java_truststore(bundle: bytes) -> bytes:
    """Return a PKCS12 store without password that trusts each certificate of a PEM bundle."""
    certificates = x509.load_pem_x509_certificates(bundle)
    named = [pkcs12.PKCS12Certificate(each, str(n).encode()) for n, each in enumerate(certificates)]
    return pkcs12.serialize_java_truststore(named, NoEncryption())


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(java_truststore(Path(sys.argv[1]).read_bytes()))
