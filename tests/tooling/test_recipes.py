"""How the recipes of the documentation are read; tests/system/test_recipes.py runs them."""

import pytest

from devstack.layout import ROOT
from tests.support.recipes import Block, prints, recipes

PAGE = """\
# Recipes

```sh
URL=http://127.0.0.1:5000
```

## First

```sh
echo 1
```
```text
1
```

## Second

```js
// a.mjs
console.log(2)
```

```sh
node a.mjs
```
"""


def test_a_page_is_read_as_recipes_with_files_and_what_blocks_print() -> None:
    before, first, second = recipes(PAGE)

    assert before.blocks == [Block("URL=http://127.0.0.1:5000\n")]
    assert (first.title, first.blocks) == ("First", [Block("echo 1\n", "text", "1\n")])
    assert second.files == {"a.mjs": "// a.mjs\nconsole.log(2)\n"}
    assert second.blocks == [Block("node a.mjs\n")]


def test_a_file_without_a_name_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="Second"):
        recipes(PAGE.replace("// a.mjs\n", ""))


@pytest.mark.parametrize(
    ("language", "shown", "printed", "same"),
    [
        ("text", "ridge 2630.1\n", "ridge 12\n", True),
        ("text", "ridge 2630.1\n", "lasso 2630.1\n", False),
        ("text", "a 1\nb 2\n", "a 1\n", False),
        ("text", "...\nend\n", "1\n2\nend\n", True),
        ("text", "...\nend\n", "end\n", True),
        ("text", "...\nend\n", "1\n2\n", False),
        ("json", '{"a": 1, "b": [1.5]}', '{"b": [2e-3], "a": 3}', True),
        ("json", '{"a": 1}', '{"a": 1, "b": 2}', False),
        ("json", '{"a": 1}', '{"a": "one"}', False),
        ("json", '{"a": true}', '{"a": false}', False),
        ("json", "[1]", "[1, 2]", False),
    ],
)
def test_what_is_printed_is_what_is_shown_but_for_ids_and_numbers(
    language: str, shown: str, printed: str, same: bool
) -> None:
    assert prints(Block("", language, shown), printed) is same


def test_the_page_has_a_recipe_below_each_heading() -> None:
    _, *found = recipes((ROOT / "docs/recipes.md").read_text())

    assert [each.title for each in found if not each.blocks] == []
    assert len(found) >= 6
