"""What stands in the log of a job orders its runner nothing."""

import pytest

from phigate.remote.log import line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pulling 9f 40%", "pulling 9f 40%"),
        ("a::b, # 3 ## [x]", "a::b, # 3 ## [x]"),
        ("::set-output name=digest::9f", ": :set-output name=digest::9f"),
        ("  ::stop-commands::x", ": :stop-commands::x"),
        ("\u200b::add-mask::a", "\ufffd::add-mask::a"),
        ("failed\n::set-env name=A::b", "failed ::set-env name=A::b"),
        ("failed\r\u2028::debug::b", "failed\ufffd::debug::b"),
        ("reject by kai: ##[set-output name=a]b", "reject by kai: # #[set-output name=a]b"),
        ("###[error]", "## #[error]"),
        ("a ##VSO[task.setvariable variable=a]b", "a # #VSO[task.setvariable variable=a]b"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
    ],
)
def test_a_text_is_one_line_and_no_order(text, told):
    assert line(text).plain == told
