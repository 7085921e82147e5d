"""Union-find over a flat array of parents, in which a root is its own parent. For compiled callers."""

from numba import njit


@njit(cache=True, nogil=True)
def find_root(parent, member):  # type: ignore[no-untyped-def]
    """Halves the way there as it goes."""
    while parent[member] != member:
        parent[member] = parent[parent[member]]
        member = parent[member]
    return member
