"""Addresses: one spelling for each, where IPv4 is also written as IPv6 (`::ffff:192.0.2.7`).

A socket that listens on both (`::`) calls every IPv4 peer so.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_BITS = 96
"""What stands before the IPv4 address."""


def plain(address: str) -> str:
    """IPv4 as IPv4; any other text, an address or not, as it is."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped) if mapped else address


def network(text: str) -> IPv4Network | IPv6Network:
    """An address, or a network, of IPv4 as IPv4. Raises ValueError where it is none."""
    found = ip_network(text)
    if isinstance(found, IPv4Network) or found.prefixlen < _BITS:
        return found
    mapped = found.network_address.ipv4_mapped
    return IPv4Network((mapped, found.prefixlen - _BITS)) if mapped else found


def spellings(network: str) -> list[str]:
    """A network in each way in which its addresses may be written."""
    found = ip_network(network)
    if isinstance(found, IPv6Network):
        return [network]
    return [network, f"::ffff:{found.network_address}/{found.prefixlen + _BITS}"]
