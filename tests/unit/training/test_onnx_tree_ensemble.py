import numpy as np
import pytest

from app.inference.onnx_session import load_session
from app.training.onnx_graph import DOUBLE, GraphBuilder
from app.training.onnx_tree_ensemble import LEAF, TreeNodes, add_ensemble, constant_tree

X = np.array([[-1.0], [0.5], [np.nan]])


def stump(low, high, *, missing_left=False, target=0, members=None):
    """A tree that answers `low` up to 0, or for its members, and `high` otherwise."""
    return TreeNodes(
        left=np.array([1, LEAF, LEAF]),
        right=np.array([2, LEAF, LEAF]),
        feature=np.zeros(3, int),
        threshold=np.zeros(3),
        missing_left=np.array([missing_left, False, False]),
        value=np.array([0.0, low, high]),
        target=target,
        members={0: np.array(members)} if members else {},
    )


def run(trees, x=X, targets=1, **options):
    """The sums of the trees for each row."""
    graph = GraphBuilder()
    sums = add_ensemble(graph, trees, graph.input("x", DOUBLE, 1), targets=targets, **options)
    graph.output("sums", sums, DOUBLE, [None, targets])
    return load_session(b"".join(graph.file())).run(None, {"x": x})[0].tolist()


def test_rows_take_the_branches_of_their_values():
    assert run([stump(1, 2)]) == [[1], [2], [2]]
    assert run([stump(1, 2, missing_left=True)]) == [[1], [2], [1]]


def test_members_take_the_left_branch():
    x = np.array([[0.0], [1], [31], [254], [np.nan], [255]])

    assert run([stump(1, 2, members=[1.0])], x) == [[2], [1], [2], [2], [2], [2]]
    assert run([stump(1, 2, members=[0.0, 31, 254], missing_left=True)], x) == [
        [1], [2], [1], [1], [1], [2],
    ]  # fmt: skip


def test_a_tree_may_be_one_value():
    assert run([constant_tree(7.5)]) == [[7.5]] * 3
    assert run([constant_tree(7.5), stump(1, 2), constant_tree(1)]) == [[9.5], [10.5], [10.5]]


@pytest.mark.parametrize("nodes", [3, 6, 100])
@pytest.mark.parametrize("average", [False, True])
def test_trees_of_several_operators_are_summed(average, nodes):
    trees = [stump(1, 2), stump(10, 20), stump(100, 200), constant_tree(3)]

    sums = run(trees, average=average, max_nodes=nodes)

    assert sums == [[value / (4 if average else 1)] for value in (114, 225, 225)]


@pytest.mark.parametrize("nodes", [3, 100])
def test_each_tree_adds_to_its_target(nodes):
    trees = [stump(1, 2, target=1), stump(10, 20), stump(100, 200, target=1)]

    assert run(trees, targets=3, max_nodes=nodes) == [[10, 101, 0], [20, 202, 0], [20, 202, 0]]


def test_equal_leaves_are_stored_once():
    graph = GraphBuilder()
    x = graph.input("x", DOUBLE, 1)
    add_ensemble(graph, [stump(1, 2), stump(2, 1), stump(1, 2, target=1)], x, targets=2)

    few = sum(map(len, graph.file()))
    graph = GraphBuilder()
    x = graph.input("x", DOUBLE, 1)
    add_ensemble(graph, [stump(1, 2), stump(3, 4), stump(5, 6, target=1)], x, targets=2)

    assert sum(map(len, graph.file())) - few == 2 * (8 + 2)  # values of float64, and targets
