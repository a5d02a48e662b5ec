"""Which user's program is at the other end of a connection within this machine (Linux only).

The kernel answers an exact lookup of the peer's socket with its owner and inode, in about 15 us whatever the
number of sockets. A socket that its program has closed belongs to uid 0 with inode 0, so a request that was sent and
abandoned proves nothing: an owner counts only together with an inode.
"""

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import sys
from dataclasses import dataclass

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ERROR = 2
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_QUERY = struct.Struct("=BBBBI")  # inet_diag_req_v2 up to its id: family, protocol, extensions, padding, states
_ID = struct.Struct("=4s16s16sI8s")  # inet_diag_sockid: ports, source, destination, interface, cookie
_ANY_COOKIE = b"\xff" * 8
_STATE = 16 + 1  # within the answer, after its header and the family
_LISTENING = 10  # TCP_LISTEN
_OWNER = 16 + 4 + _ID.size + 4 + 4 + 4  # of uid and inode, within the answer and its header
_PEER_CREDENTIALS = struct.Struct("=iII")


@dataclass(frozen=True)
class Owner:
    """Of a socket. The inode is 0 while no program holds the socket: before it is accepted, after it is closed."""

    uid: int
    inode: int


def is_ours(peer: socket.socket) -> bool:
    """Whether the client at the other end of `peer` runs as our own user. Raises OSError if the system cannot tell."""
    if peer.family == socket.AF_UNIX:
        return _unix_uid(peer) == os.getuid()
    remote, local = peer.getpeername(), peer.getsockname()
    # Check either end: a program may bind any address of this machine before it connects to a loopback one.
    if not (_is_loopback(remote[0]) or _is_loopback(local[0])):
        return True  # another machine: there the key protects the server
    owner = _owner(peer.family, remote, local)
    return owner is not None and owner.uid == os.getuid() and owner.inode != 0


def is_foreign_server(peer: socket.socket) -> bool:
    """Whether another user (root excepted) owns the server at the other end of `peer`, a connection that we opened.

    False if the system cannot tell. A root-owned server may be a port mapping of a container.
    """
    if sys.platform != "linux":
        return False
    try:
        remote, local = peer.getpeername(), peer.getsockname()
        owner = _owner(peer.family, remote, local)
        if owner is None or owner.inode == 0:  # not accepted yet: it is in the listener's queue
            owner = _listener_owner(peer.family, remote)
    except OSError:
        return False
    return owner is not None and owner.uid not in (os.getuid(), 0)


def can_tell() -> bool:
    """Whether this system answers `is_ours` correctly, tried on a connection of our own."""
    if sys.platform != "linux":
        return False
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            try:
                return is_ours(accepted)
            except OSError:  # no netlink here: a sandbox, another kernel
                return False


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


def _owner(family: int, source: tuple[str, int], destination: tuple[str, int]) -> Owner | None:
    """The owner of the socket that is connected from `source`; None if there is no such socket any more."""
    found = _look_up(family, source, destination)
    # Without an exact match the kernel answers with the socket that listens at `source`.
    return None if found is None or found[0] == _LISTENING else found[1]


def _listener_owner(family: int, address: tuple[str, int]) -> Owner | None:
    """The owner of the socket that listens at `address`, or at all addresses on its port; None if there is none."""
    anywhere = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - nothing is bound to it
    found = _look_up(family, address, (anywhere, 0))
    return None if found is None or found[0] != _LISTENING else found[1]


def _look_up(family: int, source: tuple[str, int], destination: tuple[str, int]) -> tuple[int, Owner] | None:
    """State and owner of a TCP socket of this machine, from the kernel (sock_diag(7)); None if there is none."""
    ports = struct.pack("!HH", source[1], destination[1])
    addresses = (socket.inet_pton(family, address[0]) for address in (source, destination))
    query = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + _ID.pack(ports, *addresses, 0, _ANY_COOKIE)
    header = _HEADER.pack(_HEADER.size + len(query), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1)
        netlink.sendto(header + query, (0, 0))
        answer = netlink.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if number == errno.ENOENT:
            return None
        raise OSError(number, os.strerror(number))
    return answer[_STATE], Owner(*struct.unpack_from("=II", answer, _OWNER))


def _unix_uid(peer: socket.socket) -> int:
    if option := getattr(socket, "SO_PEERCRED", None):  # Linux
        credentials = peer.getsockopt(socket.SOL_SOCKET, option, _PEER_CREDENTIALS.size)
        return int(_PEER_CREDENTIALS.unpack(credentials)[1])
    uid, gid = ctypes.c_uint(), ctypes.c_uint()
    if ctypes.CDLL(None, use_errno=True).getpeereid(peer.fileno(), ctypes.byref(uid), ctypes.byref(gid)):
        raise OSError(ctypes.get_errno(), "getpeereid failed")
    return uid.value
