"""What whoever looks after a library asks: which folders it may have, how much room it takes, how it is set."""

import shutil
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from api import schemas
from api.http.door.gates import Scope, Work, gated
from api.http.jobs.folders import list_folders
from api.http.jobs.telling import describe_run
from api.http.mapping import LanguageDep, LibrariesDep, ServiceDep, displayable
from api.http.service import Service
from api.http.setting_sources import list_settings
from indexer.library.layout import Layout
from indexer.library.run_progress import read_progress

router = APIRouter(tags=["library"])
of_service = APIRouter(tags=["library"])

_FOLDER = Query(alias="in", max_length=500, description="A folder as jobs call it: photos/2024. Empty: the roots")


@router.get("/folders")
@gated(Scope.INDEX, Work.TEXT)
async def list_job_folders(service: ServiceDep, folder: Annotated[str, _FOLDER] = "") -> schemas.FolderList:
    """List folders that jobs may take into the library: those in one of them, or else those that hold them all."""
    return await service.executors.files(_list_folders, service, folder)


@router.get("/index/storage")
@gated(Scope.INDEX, Work.TEXT)
async def describe_storage(service: ServiceDep) -> schemas.StorageInfo:
    """Say how much room the library takes, and how much is left."""
    return await service.executors.files(_measure, service)


@router.get("/index/progress")
@gated(Scope.SEARCH, Work.TEXT)
async def describe_progress(service: ServiceDep, language: LanguageDep) -> schemas.RunInfo:
    """Say whether anybody writes to the library just now, and how far that has come, also before there is a build."""
    told = await service.executors.files(read_progress, Layout(service.settings.data.absolute()))
    pictures = len(service.serving.engine.opened.index) if service.has_library else 0
    return describe_run(told, pictures, language)


@of_service.get("/settings")
@gated(Scope.ADMIN, Work.TEXT, of_library=False)
async def list_service_settings(libraries: LibrariesDep, language: LanguageDep) -> schemas.SettingList:
    """List the settings of the service, and where each comes from. Secrets are not among what is told."""
    service = libraries.default
    return schemas.SettingList(settings=await service.executors.files(list_settings, service.settings, language))


def _list_folders(service: Service, folder: str) -> schemas.FolderList:
    roots = service.list_job_roots()
    if not folder:
        found = [one.label for one in roots if one.path.is_dir() and one.label == displayable(one.label)]
        return schemas.FolderList(
            folder="", folders=[schemas.FolderInfo(name=one, path=one) for one in dict.fromkeys(found)]
        )
    names, is_cut = list_folders(folder, roots, service.settings.data)
    at = folder.strip("/")
    folders = [schemas.FolderInfo(name=name, path=f"{at}/{name}") for name in names]
    return schemas.FolderList(folder=at, folders=folders, is_cut=is_cut)


def _measure(service: Service) -> schemas.StorageInfo:
    layout = Layout(service.settings.data.absolute())
    opened = service.serving.engine.opened if service.has_library else None
    there = next(path for path in (layout.data, *layout.data.parents) if path.is_dir())
    return schemas.StorageInfo(
        originals=opened.catalog.sum_sizes() if opened else 0,
        catalog=_bytes_of(layout.catalog),
        vectors=sum(map(_bytes_of, (layout.data / "vectors").glob("*/*"))),
        indexes=sum(entry.bytes for entry in opened.manifest.all_indexes) if opened else 0,
        free=shutil.disk_usage(there).free,
    )


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
