"""The plot of a confusion matrix."""

from app.models.evaluation_parts import Classification
from app.producer.ui.plots import svg
from app.producer.ui.plots.svg import Plot

_CLASSES = 12
_LEFT, _TOP, _SIDE = 120, 40, 330


def confusion(found: Classification) -> Plot:
    """Draw how many rows of each class got each label; of many classes the most frequent."""
    title = "Confusion matrix"
    support = [sum(row) for row in found.confusion]
    kept = sorted(sorted(range(len(support)), key=lambda n: -support[n])[:_CLASSES])
    said = "A row is an actual class, a column a predicted one; a cell counts the rows of both."
    if found.classes > len(kept):
        said += f" The {len(kept)} most frequent of {found.classes:,} classes are shown."
    drawn = svg.drawing(title, _LEFT + _SIDE + 10, _TOP + _SIDE + 10)
    side = _SIDE / max(1, len(kept))
    most = max((found.confusion[a][p] for a in kept for p in kept), default=0) or 1
    names = [str(found.labels[n]) for n in kept]
    svg.text(drawn, _LEFT, 14, "predicted", kind="soft")
    svg.text(drawn, 4, 14, "actual", kind="soft")
    for row, actual in enumerate(kept):
        top = _TOP + row * side
        svg.text(drawn, _LEFT - 6, top + side / 2 + 4, names[row][:16], anchor="end")
        fits = max(2, int(side / 8))
        svg.text(drawn, _LEFT + (row + 0.5) * side, 32, names[row][:fits], anchor="middle")
        for column, predicted in enumerate(kept):
            count = found.confusion[actual][predicted]
            left, share = _LEFT + column * side, count / most
            cell = svg.box(drawn, "cell", left, top, side - 1, side - 1)
            cell.set("fill-opacity", f"{0.06 + 0.94 * share:.2f}")
            kind = "in" if share > 0.6 else ""
            place = left + side / 2, top + side / 2 + 4
            svg.text(drawn, *place, str(count), anchor="middle", kind=kind)
    rows = [(names[r], *(found.confusion[a][p] for p in kept)) for r, a in enumerate(kept)]
    return Plot(title, said, svg.described(drawn, said), ["Actual", *names], rows)
