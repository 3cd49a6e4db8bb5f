from __future__ import annotations

import pytest

pytest.register_assert_rewrite("contract.suite", "contract.random_operations")
