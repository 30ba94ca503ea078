"""Mean average precision by pycocotools alone, through its public way in."""

import io
from contextlib import redirect_stdout

import numpy as np


def coco_stats(labels, detections, overlap=None):
    """The mean average precision of labels, (n, k, 5 or 6), and detections, (n, k, 6)."""
    from pycocotools.coco import COCO as ANNOTATIONS
    from pycocotools.cocoeval import COCOeval

    with redirect_stdout(io.StringIO()):
        truth = ANNOTATIONS()
        number, place = np.nonzero(labels[..., 4] >= 0)
        rows = labels[number, place].astype(float)
        truth.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(len(labels))],
            "categories": [{"id": int(kind)} for kind in np.unique(rows[:, 4])],
            "annotations": [
                {
                    "id": index,
                    "image_id": image,
                    "category_id": int(row[4]),
                    "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]],
                    "area": (row[2] - row[0]) * (row[3] - row[1]),
                    "iscrowd": int(row[5]) if len(row) > 5 else 0,
                }
                for index, (image, row) in enumerate(zip(number.tolist(), rows, strict=True), 1)
            ],
        }
        truth.createIndex()
        image, place = np.nonzero(detections[..., 5] >= 0)
        answers = truth.loadRes(
            [
                {
                    "image_id": index,
                    "category_id": int(row[5]),
                    "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]],
                    "score": row[4],
                }
                for index, row in zip(
                    image.tolist(), detections[image, place].astype(float), strict=True
                )
            ]
        )
        evaluation = COCOeval(truth, answers, "bbox")
        if overlap:
            evaluation.params.iouThrs = np.array([overlap])
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return precision[precision > -1].mean()
