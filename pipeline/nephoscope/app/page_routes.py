"""What the page asks for: a visitor's pictures, and masks as the rules are moved."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from nephoscope.app.curves import CurveAnswer
from nephoscope.app.decisions import Decision, Move
from nephoscope.app.downloads import WRITERS, Kind
from nephoscope.app.errors import RefusalError
from nephoscope.app.holdout import Holdout, HoldoutRow
from nephoscope.app.pictures import Picture, read_picture
from nephoscope.app.schemas import (
    ClassShown,
    ClassState,
    ListedPicture,
    PageState,
    PictureAnswer,
    ShownAnswer,
    tell_presences,
)
from nephoscope.app.sessions import Session
from nephoscope.app.state import Desk
from nephoscope.app.uploads import read_body, read_moves, read_truth, to_image_id
from nephoscope.figures.colours import CLASS_COLOURS, to_hex
from nephoscope.masks.outlines import exact_path

LONGEST_NAME = 200
Moves = Annotated[list[Move], Depends(read_moves)]


def page_routes(desk: Desk) -> APIRouter:
    """Not for programs, and free to change with the page: left out of the OpenAPI description."""
    router = APIRouter(prefix="/api", include_in_schema=False)

    @router.get("/state")
    def state(session: Session) -> PageState:
        colours = zip(desk.rules.classes, CLASS_COLOURS, strict=False)
        return PageState(
            classes=[ClassState(class_name=name, colour=to_hex(colour)) for name, colour in colours],
            judged_shape=desk.rules.judged_shape,
            rules=desk.rules,
            max_megabytes=desk.max_megabytes,
            pictures=[ListedPicture(id=key, image_id=one.image_id) for key, one in desk.shelf.of(session).items()],
            has_run=desk.holdout is not None,
        )

    @router.post("/pictures", status_code=HTTPStatus.CREATED)
    async def add_picture(
        request: Request, session: Session, name: Annotated[str, Query(max_length=LONGEST_NAME)]
    ) -> ListedPicture:
        content = await read_body(request, desk.max_megabytes)
        picture = await desk.pool.run(read_picture, desk.model, content, to_image_id(name))
        return ListedPicture(id=desk.shelf.put(session, picture), image_id=picture.image_id)

    @router.get("/pictures/{picture_id}")
    def show_picture(session: Session, picture_id: str) -> PictureAnswer:
        return _tell_picture(picture_id, desk.find(session, picture_id))

    @router.delete("/pictures/{picture_id}", status_code=HTTPStatus.NO_CONTENT)
    def forget_picture(session: Session, picture_id: str) -> None:
        desk.shelf.forget(session, picture_id)

    @router.get("/pictures/{picture_id}/preview")
    def show_preview(session: Session, picture_id: str) -> Response:
        return Response(desk.find(session, picture_id).preview, media_type="image/jpeg")

    @router.get("/pictures/{picture_id}/thumbnail")
    def show_thumbnail(session: Session, picture_id: str) -> Response:
        return Response(desk.find(session, picture_id).thumbnail, media_type="image/jpeg")

    @router.get("/pictures/{picture_id}/heat/{class_name}")
    async def show_heat(session: Session, picture_id: str, class_name: str) -> Response:
        picture, classes = desk.find(session, picture_id), desk.rules.classes
        if class_name not in classes:
            raise RefusalError(HTTPStatus.NOT_FOUND, f"no class {class_name!r}; the model knows {', '.join(classes)}")
        heat = await desk.pool.run(desk.heats.draw, picture, classes.index(class_name))
        return Response(heat, media_type="image/png")

    @router.put("/pictures/{picture_id}/truth")
    async def add_truth(request: Request, session: Session, picture_id: str) -> PictureAnswer:
        picture = desk.shelf.get(session, picture_id)
        content = await read_body(request, desk.max_megabytes)
        truth = await desk.pool.run(read_truth, content, desk.format, picture.image_id)
        desk.shelf.annotate(session, picture_id, truth)
        return _tell_picture(picture_id, desk.shelf.get(session, picture_id))

    @router.post("/pictures/{picture_id}/masks")
    def decide_picture(session: Session, picture_id: str, moves: Moves) -> ShownAnswer:
        picture = desk.find(session, picture_id)
        return _show(desk, picture, desk.decide(picture, moves))

    @router.post("/pictures/{picture_id}/download/{kind}")
    def download(session: Session, picture_id: str, kind: Kind, moves: Moves) -> Response:
        picture = desk.find(session, picture_id)
        file = WRITERS[kind](desk.format, picture.image_id, desk.decide(picture, moves))
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"}
        return Response(file.content, media_type=file.media_type, headers=headers)

    @router.get("/run/pictures")
    def list_holdout() -> list[HoldoutRow]:
        return _given(desk.holdout).rows

    @router.get("/run/thumbnails/{image_id}")
    def show_holdout_thumbnail(image_id: str) -> Response:
        return Response(_given(desk.holdout).thumbnail(image_id), media_type="image/jpeg")

    @router.get("/run/curves")
    def show_curves() -> dict[str, list[CurveAnswer]]:
        return _given(desk.holdout).curves.answer(desk.rules)

    return router


def _given(holdout: Holdout | None) -> Holdout:
    if holdout is None:
        message = "no run was given; `nephoscope serve --run artifacts` shows one"
        raise RefusalError(HTTPStatus.NOT_FOUND, message)
    return holdout


def _tell_picture(picture_id: str, picture: Picture) -> PictureAnswer:
    truth = picture.truth
    return PictureAnswer(
        id=picture_id,
        image_id=picture.image_id,
        truth=None if truth is None else [exact_path(mask) for mask in truth],
        truth_shares=None if truth is None else truth.mean(axis=(1, 2)).tolist(),
        unseen=exact_path(~picture.prediction.visible),
    )


def _show(desk: Desk, picture: Picture, decision: Decision) -> ShownAnswer:
    curves = desk.holdout.curves if desk.holdout else None
    dices, outlines = decision.dices(picture.truth), [exact_path(mask) for mask in decision.masks]
    classes = [
        ClassShown(
            **fields,
            score=decision.scores[index],
            outline=outlines[index],
            dice=dices[index],
            pixel_point=curves.pixel_point(index, decision.rules) if curves else None,
            presence_point=curves.presence_point(index, decision.rules) if curves else None,
        )
        for index, fields in enumerate(tell_presences(decision))
    ]
    known = [one for one in dices if one is not None]
    return ShownAnswer(classes=classes, mean_dice=float(np.mean(known)) if known else None)
