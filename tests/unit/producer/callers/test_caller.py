from typing import Any

import pytest

from app.producer.callers.caller import caller_of


@pytest.mark.parametrize(
    ("client", "caller"),
    [
        (("192.0.2.7", 4711), "192.0.2.7"),
        (("::ffff:192.0.2.7", 4711), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 4711), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:ffff::", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:3::", 1), "2001:db8:1:3::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("testclient", 50000), "testclient"),
        (None, "local"),
    ],
)
def test_a_caller_is_an_address_or_a_network_of_ipv6(client: Any, caller: str) -> None:
    assert caller_of({"client": client}) == caller
