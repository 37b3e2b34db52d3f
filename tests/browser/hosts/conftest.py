"""What the hosts' tests share says what was wrong, as tests do."""

import pytest

pytest.register_assert_rewrite("tests.browser.hosts.capabilities")
