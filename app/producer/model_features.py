"""The names of the features of models, as far as the catalogue knows them."""

from app.concurrency import run_in_thread
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.registry import CachedModelRegistry
from app.protocol.wording import nfc
from app.storage.model_files import ModelStore


class ModelFeatures:
    """Looks up features; what it has found, the registry and the store cache."""

    def __init__(self, models: CachedModelRegistry, files: ModelStore) -> None:
        """Read records from `models`, and manifests of trained models from `files`."""
        self._models = models
        self._files = files

    async def of(self, model_id: str) -> frozenset[str] | None:
        """Return the features of a model in Unicode's form NFC; None for an endpoint.

        Raises the errors of the registry and of the store.
        """
        record = await self._models.find(model_id)
        match record.spec:
            case EndpointSpec():
                return None
            case OnnxManifest() as spec:
                return frozenset(map(nfc, spec.features))
        manifest = await run_in_thread(self._files.get_manifest, record.require_file().key)
        return frozenset(nfc(each.name) for each in manifest.features)
