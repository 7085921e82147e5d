"""Routes of the page: pictures of a visitor, decisions under changed rules, downloads, and the holdout of a run."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from nephoscope.app.curves import CurveResponse
from nephoscope.app.decisions import Decision, RequestRule
from nephoscope.app.downloads import WRITERS, Kind
from nephoscope.app.errors import RequestError
from nephoscope.app.holdout import Holdout, HoldoutRow
from nephoscope.app.pictures import Picture
from nephoscope.app.scenes import read_upload
from nephoscope.app.schemas import (
    ClassDecision,
    ClassState,
    DecisionResponse,
    ListedPicture,
    PageState,
    PictureResponse,
    place_response,
    presence_fields,
)
from nephoscope.app.sessions import Session
from nephoscope.app.state import AppState
from nephoscope.app.truth import read_truth
from nephoscope.app.uploads import StatedPlace, read_body, read_rules, to_image_id
from nephoscope.figures.colours import class_colours, to_hex
from nephoscope.inference.result import Result
from nephoscope.masks.geometry import resize_mask
from nephoscope.masks.outlines import exact_path

LONGEST_NAME = 200
RequestRules = Annotated[list[RequestRule], Depends(read_rules)]


def page_routes(state: AppState) -> APIRouter:
    """These routes may change with the page, so they are not part of the OpenAPI description."""
    router = APIRouter(prefix="/api", include_in_schema=False)

    @router.get("/state")
    def read_state(session: Session) -> PageState:
        colours = zip(state.rules.classes, class_colours(len(state.rules.classes)), strict=True)
        return PageState(
            classes=[ClassState(class_name=name, colour=to_hex(colour)) for name, colour in colours],
            output_shape=state.rules.output_shape,
            rules=state.rules,
            max_megabytes=state.max_megabytes,
            pictures=[
                ListedPicture(id=key, image_id=picture.image_id) for key, picture in state.store.of(session).items()
            ],
            has_run=state.holdout is not None,
        )

    @router.post("/pictures", status_code=HTTPStatus.CREATED)
    async def add_picture(
        request: Request,
        session: Session,
        placing: StatedPlace,
        name: Annotated[str, Query(max_length=LONGEST_NAME)],
    ) -> ListedPicture:
        content = await read_body(request, state.max_megabytes)
        picture = await state.pool.run(read_upload, state.model, state.rules, content, to_image_id(name), placing)
        return ListedPicture(id=state.store.put(session, picture), image_id=picture.image_id)

    @router.get("/pictures/{picture_id}")
    def show_picture(session: Session, picture_id: str) -> PictureResponse:
        return _picture_response(state, picture_id, state.find(session, picture_id))

    @router.delete("/pictures/{picture_id}", status_code=HTTPStatus.NO_CONTENT)
    def remove_picture(session: Session, picture_id: str) -> None:
        state.store.remove(session, picture_id)

    @router.get("/pictures/{picture_id}/preview")
    def show_preview(session: Session, picture_id: str) -> Response:
        return Response(state.find(session, picture_id).preview, media_type="image/jpeg")

    @router.get("/pictures/{picture_id}/thumbnail")
    def show_thumbnail(session: Session, picture_id: str) -> Response:
        return Response(state.find(session, picture_id).thumbnail, media_type="image/jpeg")

    @router.get("/pictures/{picture_id}/heat/{class_name}")
    async def show_heat(session: Session, picture_id: str, class_name: str) -> Response:
        picture, classes = state.find(session, picture_id), state.rules.classes
        if class_name not in classes:
            raise RequestError(HTTPStatus.NOT_FOUND, f"no class {class_name!r}; the classes are {', '.join(classes)}")
        heat = await state.pool.run(state.heat_maps.draw, picture, classes.index(class_name))
        return Response(heat, media_type="image/png")

    @router.put("/pictures/{picture_id}/truth")
    async def add_truth(request: Request, session: Session, picture_id: str) -> PictureResponse:
        picture = state.store.get(session, picture_id)
        if picture.visible.shape != state.rules.output_shape:
            message = f"{picture.image_id}: truth can be compared only with an image that fills one window"
            raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
        content = await read_body(request, state.max_megabytes)
        truth = await state.pool.run(read_truth, content, state.format, picture.image_id)
        state.store.set_truth(session, picture_id, truth)
        return _picture_response(state, picture_id, state.store.get(session, picture_id))

    @router.post("/pictures/{picture_id}/masks")
    def decide_picture(session: Session, picture_id: str, rules: RequestRules) -> DecisionResponse:
        picture = state.find(session, picture_id)
        return _decision_response(state, picture, state.decide(picture, rules))

    @router.post("/pictures/{picture_id}/download/{kind}")
    async def download(session: Session, picture_id: str, kind: Kind, rules: RequestRules) -> Response:
        picture = state.find(session, picture_id)
        file = await state.pool.run(lambda: WRITERS[kind](state.format, state.decide(picture, rules)))
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"}
        return Response(file.content, media_type=file.media_type, headers=headers)

    @router.get("/run/pictures")
    def list_holdout() -> list[HoldoutRow]:
        return _require(state.holdout).rows

    @router.get("/run/thumbnails/{image_id}")
    def show_holdout_thumbnail(image_id: str) -> Response:
        return Response(_require(state.holdout).thumbnail(image_id), media_type="image/jpeg")

    @router.get("/run/curves")
    def show_curves() -> dict[str, list[CurveResponse]]:
        return _require(state.holdout).curves.to_response(state.rules)

    return router


def _require(holdout: Holdout | None) -> Holdout:
    if holdout is None:
        raise RequestError(HTTPStatus.NOT_FOUND, "no run is open; start `nephoscope serve --run artifacts`")
    return holdout


def _picture_response(state: AppState, picture_id: str, picture: Picture) -> PictureResponse:
    truth = picture.truth
    return PictureResponse(
        id=picture_id,
        image_id=picture.image_id,
        truth=None if truth is None else [exact_path(mask) for mask in truth],
        truth_shares=None if truth is None else truth.mean(axis=(1, 2)).tolist(),
        invisible=exact_path(resize_mask(~picture.visible, picture.shown_shape)),
        shape=picture.shown_shape,
        place=place_response(picture.place),
        notes=list(picture.notes),
        has_fixed_rules=isinstance(picture.prediction, Result),
        has_heat=picture.image is not None,
        has_output_shape=picture.visible.shape == state.rules.output_shape,
    )


def _decision_response(state: AppState, picture: Picture, decision: Decision) -> DecisionResponse:
    curves = state.holdout.curves if state.holdout else None
    dices = decision.dices(picture.truth)
    outlines = [exact_path(resize_mask(np.asarray(mask), picture.shown_shape)) for mask in decision.masks]
    classes = [
        ClassDecision(
            **fields,
            score=decision.scores[index],
            outline=outlines[index],
            dice=dices[index],
            pixel_point=curves.pixel_point(index, decision.rules) if curves else None,
            presence_point=curves.presence_point(index, decision.rules) if curves else None,
        )
        for index, fields in enumerate(presence_fields(decision))
    ]
    known = [dice for dice in dices if dice is not None]
    return DecisionResponse(classes=classes, mean_dice=float(np.mean(known)) if known else None)
