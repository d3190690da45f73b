"""The loopback Hub's endpoints, as huggingface_hub 2.4 asks for them."""

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, unquote

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.convertors import Convertor, register_url_convertor

from tests.loopback_hub.store import Commit, File, Refusal, Repository, User, metadata, upload_mode
from tests.loopback_hub.wire import CHUNK

Json = dict[str, Any]


class Quoted(Convertor[str]):
    """One segment of a path that may hold quoted slashes: refs%2Fpr%2F1."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)


class Rest(Quoted):
    """The rest of a path, slashes and all."""

    regex = ".*"


register_url_convertor("quoted", Quoted())
register_url_convertor("rest", Rest())

app = FastAPI(openapi_url=None)
users: dict[str, User] = {}  # by token
repositories: dict[str, Repository] = {}
collections: dict[str, Json] = {}
objects: dict[str, bytes] = {}  # LFS, by sha256
endless: dict[str, bool] = {}  # oids of files that never end -> whether their size is announced

API = "/api/models/{owner:quoted}/{name:quoted}"


@app.exception_handler(Refusal)
async def refused(request: Request, refusal: Refusal) -> JSONResponse:
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


@app.exception_handler(404)
@app.exception_handler(405)
async def unknown(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"The loopback Hub has no {request.method} {request.url.path}"}, 501)


def caller(request: Request) -> User | None:
    """Who asks; nobody without a token."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    user = users.get(header.removeprefix("Bearer "))
    if user is None:
        raise Refusal(401, "Invalid credentials in Authorization header")
    return user


Caller = Annotated[User | None, Depends(caller)]


def repository(owner: str, name: str, user: Caller) -> Repository:
    """The repository of the path; a private one is not there for others than its owner."""
    found = repositories.get(f"{owner}/{name}")
    if found is None or (found.private and (user is None or owner not in user.spaces)):
        raise Refusal(404, "Repository not found", "RepoNotFound")
    return found


Repo = Annotated[Repository, Depends(repository)]


def writer(user: Caller) -> User:
    """Who asks, with a token that may write something."""
    if user is None:
        raise Refusal(401, "Invalid username or password.")
    if not user.write:
        raise Refusal(403, "Forbidden: this token may only read")
    return user


Writer = Annotated[User, Depends(writer)]


def check_owner(space: str, user: User) -> None:
    if space not in user.spaces:
        raise Refusal(403, f"Forbidden: you have no write access to {space}")


def check_push(repo: Repository, user: User, revision: str, create_pr: bool) -> None:
    """Everybody may open a pull request and add to their own; the rest is for the owner."""
    ref = "" if create_pr else repo.ref(revision)
    mine = ref.startswith("refs/pr/") and repo.discussion(int(ref.split("/")[-1])).author == user.name
    if not create_pr and not mine:
        check_owner(repo.owner, user)


def base_url(request: Request) -> str:
    return f"http://{request.headers['host']}"


def storage_url(request: Request, path: str) -> str:
    """LFS files lie on another host name: the client neither follows there on HEAD nor sends its token."""
    here, other = request.headers["host"], {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
    name, _, port = here.partition(":")
    return f"http://{other[name]}:{port}/storage/{path}"


# Who, and which repositories


@app.api_route("/", methods=["GET", "HEAD"])
async def root() -> Json:
    return {"hub": "loopback"}


@app.get("/api/whoami-v2")
async def whoami(user: Caller) -> Json:
    if user is None:
        raise Refusal(401, "Invalid username or password.")
    orgs = [{"type": "org", "id": name, "name": name, "roleInOrg": "write"} for name in user.spaces[1:]]
    token = {"displayName": "loopback", "role": "write" if user.write else "read"}
    auth = {"type": "access_token", "accessToken": token}
    return {"type": "user", "id": user.name, "name": user.name, "fullname": user.name, "orgs": orgs, "auth": auth}


@app.post("/api/validate-yaml")
async def validate_yaml(body: Json) -> Response:
    try:
        found = metadata(body["content"])
    except ValueError as error:
        return JSONResponse({"errors": [{"message": str(error)}], "warnings": []}, 400)
    warnings = [] if found else [{"message": "empty or missing yaml metadata in repo card"}]
    return JSONResponse({"errors": [], "warnings": warnings})


def owner_and_name(body: Json, user: User) -> tuple[str, str]:
    if body.get("type", "model") != "model":
        raise Refusal(501, "The loopback Hub has only models")
    return body.get("organization") or user.name, body["name"]


@app.post("/api/repos/create")
async def create(body: Json, request: Request, user: Writer) -> Json:
    owner, name = owner_and_name(body, user)
    check_owner(owner, user)
    id = f"{owner}/{name}"
    url = f"{base_url(request)}/{id}"
    if id in repositories:
        raise Refusal(409, "You already created this model repo", url=url)
    repositories[id] = Repository(id, user.name, private=body.get("visibility") == "private")
    return {"url": url, "name": id, "id": id}


@app.delete("/api/repos/delete")
async def delete(body: Json, user: Writer) -> Json:
    repo = repository(*owner_and_name(body, user), user)
    check_owner(repo.owner, user)
    del repositories[repo.id]
    return {}


@app.put(API + "/settings")
async def change_settings(body: Json, repo: Repo, user: Writer) -> Json:
    check_owner(repo.owner, user)
    if "visibility" in body:
        repo.private = body["visibility"] == "private"
    return {"private": repo.private}


@app.get(API + "/auth-check")
async def check_read(repo: Repo) -> Json:
    return {}


@app.get(API + "/auth-check/write")
async def check_write(repo: Repo, user: Writer) -> Json:
    check_owner(repo.owner, user)
    return {}


Words = Annotated[tuple[str, ...], Query()]


@app.get("/api/models")
async def list_models(user: Caller, author: str = "", search: str = "", filter: Words = (), limit: int = 1000) -> Any:
    seen = [repo for repo in repositories.values() if not repo.private or (user and repo.owner in user.spaces)]
    found = [repo for repo in seen if author in ("", repo.owner) and search.lower() in repo.id.lower()]
    described = [repo.described(repo.resolve("main")) for repo in found]
    return [one for one in described if set(filter) <= set(one["tags"])][:limit]


@app.get(API)
@app.get(API + "/revision/{revision:quoted}")
async def model_info(repo: Repo, revision: str = "main", blobs: bool = False, expand: Words = ()) -> Json:
    found = repo.described(repo.resolve(revision), blobs)
    return {key: value for key, value in found.items() if not expand or key in ("id", *expand)}


@app.get("/api/collections/{owner:quoted}/{name:quoted}")
async def collection(owner: str, name: str) -> Json:
    if f"{owner}/{name}" not in collections:
        raise Refusal(404, "Collection not found")
    return collections[f"{owner}/{name}"]


# Files


@app.get(API + "/tree/{revision:quoted}")
@app.get(API + "/tree/{revision:quoted}/{path:rest}")
async def tree(repo: Repo, revision: str, path: str = "", recursive: bool = False) -> list[Json | None]:
    commit = repo.resolve(revision)
    start = f"{path}/" if path else ""
    parts = [name[len(start) :].split("/") for name in commit.files if name.startswith(start)]
    if path and not parts:
        raise Refusal(404, f"{path} does not exist on {revision}", "EntryNotFound")
    deep = {"/".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1 if recursive else 2)}
    return [commit.listed(start + name) for name in sorted(deep)]


@app.post(API + "/paths-info/{revision:quoted}")
async def paths_info(repo: Repo, revision: str, request: Request) -> list[Json]:
    commit = repo.resolve(revision)
    asked = parse_qs((await request.body()).decode()).get("paths", [])
    return [found for path in asked if (found := commit.listed(path.rstrip("/")))]


@app.api_route("/{owner:quoted}/{name:quoted}/resolve/{revision:quoted}/{path:rest}", methods=["GET", "HEAD"])
async def resolve(repo: Repo, revision: str, path: str, request: Request) -> Response:
    commit = repo.resolve(revision)
    headers = {"X-Repo-Commit": commit.sha}
    if path not in commit.files:
        raise Refusal(404, "Entry not found", "EntryNotFound", headers)
    file = commit.files[path]
    if not file.large:
        return content(request, file.content, headers | {"ETag": f'"{file.oid}"'}, file.oid)
    size = {"X-Linked-Size": str(len(file.content))} if endless.get(file.oid, True) else {}
    place = storage_url(request, f"{file.sha256}/{quote(path)}")
    return Response(None, 302, headers | size | {"X-Linked-ETag": f'"{file.oid}"', "Location": place})


@app.api_route("/storage/{sha256}/{path:rest}", methods=["GET", "HEAD"])
async def download(sha256: str, request: Request) -> Response:  # as behind a signed address: without a token
    if sha256 not in objects:
        raise Refusal(404, "No such object")
    return content(request, objects[sha256], {"ETag": f'"{sha256}"'}, sha256)


def content(request: Request, data: bytes, headers: Mapping[str, str], oid: str) -> Response:
    """The body of a file, or the part of it that Range asks for."""
    kind = "application/octet-stream"
    if oid in endless and (request.method == "GET" or not endless[oid]):
        body = without_end() if request.method == "GET" else without_end(0)
        return StreamingResponse(body, headers=headers, media_type=kind)
    headers = {**headers, "Accept-Ranges": "bytes"}
    asked = re.fullmatch(r"bytes=(?:(\d+)-(\d*)|-(\d+))", request.headers.get("range", ""))
    if asked is None:
        return Response(data, headers=headers, media_type=kind)
    start = int(asked[1]) if asked[1] else max(0, len(data) - int(asked[3]))
    stop = min(int(asked[2]) + 1, len(data)) if asked[2] else len(data)
    if start >= len(data):
        return Response(None, 416, {**headers, "Content-Range": f"bytes */{len(data)}"})
    span = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
    return Response(data[start:stop], 206, headers | span, media_type=kind)


async def without_end(most: int = 256 * 2**20) -> AsyncIterator[bytes]:
    """A body of zeros that goes on; `most` keeps a client that never stops from filling the disk."""
    for _ in range(most // CHUNK):
        yield bytes(CHUNK)


# Pushing


@app.post(API + "/preupload/{revision:quoted}")
async def preupload(repo: Repo, revision: str, body: Json, user: Writer, create_pr: bool = False) -> Json:
    check_push(repo, user, revision, create_pr)
    files = repo.resolve(revision).files
    ignored = body.get("gitIgnore") or (files[".gitignore"].content.decode() if ".gitignore" in files else "")
    return {"files": [upload_mode(file, files.get(file["path"]), ignored) for file in body["files"]]}


@app.post("/{owner:quoted}/{name:quoted}.git/info/lfs/objects/batch")
async def lfs_batch(repo: Repo, body: Json, request: Request, user: Writer) -> Json:
    check_push(repo, user, body.get("ref", {}).get("name", ""), create_pr="ref" not in body)
    verify = {"href": f"{base_url(request)}/{repo.id}.git/info/lfs/verify"}
    answers = []
    for wanted in body["objects"]:
        upload = {"href": storage_url(request, wanted["oid"])}
        actions = {} if wanted["oid"] in objects else {"actions": {"upload": upload, "verify": verify}}
        answers.append({"oid": wanted["oid"], "size": wanted["size"], **actions})
    return {"transfer": "basic", "objects": answers}


@app.put("/storage/{sha256}")
async def upload(sha256: str, request: Request) -> Response:
    data = await request.body()
    if File(data, large=True).sha256 != sha256:
        raise Refusal(400, "The content does not have this sha256")
    objects[sha256] = data
    return Response()


@app.post("/{owner:quoted}/{name:quoted}.git/info/lfs/verify")
async def lfs_verify(repo: Repo, body: Json, user: Writer) -> Json:
    if len(objects.get(body["oid"], b"")) != body["size"]:
        raise Refusal(404, "No such object")
    return {}


@app.post(API + "/commit/{revision:quoted}")
async def commit(repo: Repo, revision: str, request: Request, user: Writer, create_pr: bool = False) -> Json:
    check_push(repo, user, revision, create_pr)
    lines = [json.loads(line) for line in (await request.body()).splitlines()]
    header = lines[0]["value"]
    head = repo.resolve(repo.ref(revision))
    if not head.sha.startswith(header.get("parentCommit") or ""):
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    changes: dict[str, File | None] = {}
    for line in lines[1:]:
        changes |= changed(line["key"], line["value"], head)
    opened = None
    if create_pr:
        opened = repo.discuss(header["summary"], user.name, "open", pull_request=True)
        opened.comment(user.name, header["description"])
        revision = f"refs/pr/{opened.num}"
    made = repo.commit(revision, changes, header["summary"], header["description"], user.name)
    if revision.startswith("refs/pr/"):
        repo.discussion(int(revision.split("/")[-1])).add("commit", user.name, subject=made.title, oid=made.sha)
    here = f"{base_url(request)}/{repo.id}"
    answer = {"success": True, "commitOid": made.sha, "commitUrl": f"{here}/commit/{made.sha}", "hookOutput": ""}
    return answer | ({"pullRequestUrl": f"{here}/discussions/{opened.num}"} if opened else {})


def changed(key: str, value: Json, head: Commit) -> dict[str, File | None]:
    """What one line of a commit does to the files."""
    path = value["path"]
    if key == "file":
        return {path: File(base64.b64decode(value["content"]), large=False)}
    if key == "lfsFile":
        if value["oid"] not in objects:
            raise Refusal(400, f"The LFS object of {path} was never uploaded")
        return {path: File(objects[value["oid"]], large=True)}
    folder = path.rstrip("/") + "/" if key == "deletedFolder" else None
    gone = [name for name in head.files if (name.startswith(folder) if folder else name == path)]
    if not gone:
        raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
    return dict.fromkeys(gone)


# Refs and history


@app.get(API + "/refs")
async def list_refs(repo: Repo, include_prs: bool = False) -> Json:
    def under(prefix: str, cut: int) -> list[Json]:
        found = {ref: sha for ref, sha in repo.refs.items() if ref.startswith(prefix)}
        return [{"name": ref[cut:], "ref": ref, "targetCommit": sha} for ref, sha in found.items()]

    pulls = {"pullRequests": under("refs/pr/", 0)} if include_prs else {}
    return {"branches": under("refs/heads/", 11), "tags": under("refs/tags/", 10), "converts": [], **pulls}


@app.get(API + "/commits/{revision:quoted}")
async def list_commits(repo: Repo, revision: str) -> list[Json]:
    made = repo.history(repo.resolve(revision))
    who = [{"id": one.sha, "authors": [{"user": one.author}], "date": one.date} for one in made]
    return [{**by, "title": one.title, "message": one.message} for by, one in zip(who, made, strict=True)]


@app.post(API + "/branch/{branch:quoted}")
async def create_branch(repo: Repo, branch: str, user: Writer, body: Json) -> Json:
    return point(repo, user, f"refs/heads/{branch}", body.get("startingPoint", "main"))


@app.post(API + "/tag/{revision:quoted}")
async def create_tag(repo: Repo, revision: str, user: Writer, body: Json) -> Json:
    return point(repo, user, f"refs/tags/{body['tag']}", revision)


def point(repo: Repository, user: User, ref: str, revision: str) -> Json:
    check_owner(repo.owner, user)
    if ref in repo.refs:
        raise Refusal(409, f"Reference already exists: {ref}")
    repo.refs[ref] = repo.resolve(revision).sha
    return {}


# Discussions and pull requests


@app.get(API + "/discussions")
async def list_discussions(repo: Repo, type: str = "all", status: str = "all", author: str = "", p: int = 0) -> Json:
    found = [one for one in reversed(repo.discussions) if one.fits(type, status, author)]
    shown = [repo.outlined(one) for one in found[10 * p : 10 * p + 10]]
    return {"discussions": shown, "count": len(found), "start": 10 * p}


@app.post(API + "/discussions")
async def discuss(repo: Repo, body: Json, user: Writer) -> Json:
    pull = body["pullRequest"]
    opened = repo.discuss(body["title"], user.name, "draft" if pull else "open", pull)
    opened.comment(user.name, body["description"])
    return repo.outlined(opened)


@app.get(API + "/discussions/{num}")
async def discussion_details(repo: Repo, num: int) -> Json:
    return repo.detailed(repo.discussion(num))


@app.post(API + "/discussions/{num}/comment")
async def comment(repo: Repo, num: int, body: Json, user: Writer) -> Json:
    return {"newMessage": repo.discussion(num).comment(user.name, body["comment"])}


@app.post(API + "/discussions/{num}/status")
async def change_status(repo: Repo, num: int, body: Json, user: Writer) -> Json:
    found = repo.discussion(num)
    if found.author != user.name:
        check_owner(repo.owner, user)
    if found.merged:
        raise Refusal(400, "This is merged already")
    if body.get("comment"):
        found.comment(user.name, body["comment"])
    found.status = body["status"]
    return {"newStatus": found.add("status-change", user.name, status=found.status)}


@app.post(API + "/discussions/{num}/merge")
async def merge(repo: Repo, num: int, user: Writer, body: Json | None = None) -> Json:
    check_owner(repo.owner, user)
    found = repo.discussion(num)
    repo.merge(found, user.name)
    if body:
        found.comment(user.name, body["comment"])
    return {}
