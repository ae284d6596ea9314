"""Codes of models: their names, files, the store and the device."""

from __future__ import annotations

from typing import Final

from contracts.codes.spec import CodeSpec

CODES: Final = (
    CodeSpec(
        "bad_version",
        ("usage",),
        "It is not a model version.",
        "Write BASE-FINETUNE-YYYYMMDD in lower case, like mgeo-base-v1-20230815.",
    ),
    CodeSpec(
        "bad_precision",
        ("usage",),
        "It is not a precision, or this device has no such arithmetic.",
        "Use fp32, fp16 or bf16; fp32 on a CPU.",
    ),
    CodeSpec(
        "bad_device",
        ("usage",),
        "MGEO_DEVICE is not auto, cpu, cuda or cuda:N.",
        "Use one of these.",
    ),
    CodeSpec(
        "device_not_found",
        ("usage",),
        "There is no such device on this machine.",
        "Look at mgeo doctor; use cpu or auto.",
    ),
    CodeSpec(
        "model_not_found",
        ("usage",),
        "The model directory does not exist.",
        "Check the path.",
    ),
    CodeSpec(
        "model_incomplete",
        ("usage",),
        "The model directory lacks a file.",
        "Fetch or copy the model again; the message names the file.",
    ),
    CodeSpec(
        "bad_model_config",
        ("usage",),
        "config.json or another description of the model cannot be used.",
        "The message names the key; export the model again.",
    ),
    CodeSpec(
        "bad_label_map",
        ("usage",),
        "The label map has gaps, unknown schemes or no O.",
        "Export the model with its own id2label.",
    ),
    CodeSpec(
        "bad_vocabulary",
        ("usage",),
        "vocab.txt cannot be used with this model.",
        "Take the vocabulary that the model was trained with.",
    ),
    CodeSpec(
        "bad_tokenizer_config",
        ("usage",),
        "tokenizer_config.json cannot be read.",
        "Take the file that the model was trained with.",
    ),
    CodeSpec(
        "bad_calibration",
        ("usage",),
        "calibration.json has no temperature from 0.001 to 1,000.",
        "Calibrate again, or remove the file: then confidences are the raw ones.",
    ),
    CodeSpec(
        "bad_weights",
        ("usage",),
        "The weights do not fit the architecture, or the file is cut short.",
        "Fetch or copy the model again.",
    ),
    CodeSpec(
        "unsafe_weights",
        ("usage",),
        "The weights file would run code when loaded.",
        "Convert it to safetensors where you trust it; it is never loaded here.",
    ),
    CodeSpec(
        "wrong_model_kind",
        ("usage",),
        "The checkpoint is not a token classifier for address components.",
        "Use an element-tagging model; similarity, alignment and ranking are out of scope.",
    ),
    CodeSpec(
        "unknown_version",
        ("usage",),
        "The store has no model of this version.",
        "mgeo model list shows those there are; mgeo model add adds one.",
    ),
    CodeSpec(
        "version_taken",
        ("usage",),
        "The version already names another content.",
        "Choose a new version: one names one content for ever.",
    ),
    CodeSpec(
        "starter_model",
        ("usage",),
        "A starter model comes with the package and cannot be removed.",
        "Leave it; it takes no room in the store.",
    ),
    CodeSpec(
        "bad_model_store",
        ("usage",),
        "MGEO_MODEL_STORE names no place that can be reached.",
        "Give a directory, or install the fsspec backend of that scheme.",
    ),
    CodeSpec(
        "model_store_unreachable",
        ("transient",),
        "The model store does not answer or refuses access.",
        "Check MGEO_MODEL_STORE, access rights and the network.",
    ),
    CodeSpec(
        "model_manifest_broken",
        ("fatal",),
        "The manifest of a stored model cannot be read.",
        "Remove the model from the store and add it again.",
    ),
    CodeSpec(
        "model_digest_mismatch",
        ("fatal",),
        "A model’s files are not those that its digest names. It is not loaded.",
        "Find out who changed the store; add the model again from a source you trust.",
    ),
    CodeSpec(
        "model_cache_full",
        ("fatal",),
        "The local model cache has no room left.",
        "Make room, or set MGEO_MODEL_CACHE elsewhere.",
    ),
    CodeSpec(
        "model_cache_unusable",
        ("fatal",),
        "The local model cache cannot be written.",
        "Set MGEO_MODEL_CACHE to a directory that can be written.",
    ),
    CodeSpec(
        "bad_hub_id",
        ("usage",),
        "It is not the name of a model on the hub.",
        "Write modelscope:OWNER/NAME@REVISION.",
    ),
    CodeSpec(
        "hub_unpinned",
        ("usage",),
        "The hub does not say at which commit the model is.",
        "Name a commit or a tag after @.",
    ),
    CodeSpec(
        "hub_not_found",
        ("usage",),
        "The hub has no such model or revision, or hides it.",
        "Check id and revision; a private model needs a token.",
    ),
    CodeSpec(
        "hub_unauthorized",
        ("usage",),
        "The hub wants to know who asks.",
        "Give a token of the hub, as the message says.",
    ),
    CodeSpec(
        "hub_forbidden",
        ("usage",),
        "The hub does not let this account read the model.",
        "Ask its owner for access, or use another token.",
    ),
    CodeSpec(
        "hub_unreachable",
        ("transient",),
        "The hub does not answer.",
        "Check the network; without one, copy the model here and add it from its directory.",
    ),
    CodeSpec(
        "hub_digest_mismatch",
        ("fatal",),
        "The hub gave other bytes than it lists; nothing was kept.",
        "Try again later; if it stays, tell the model’s owner.",
    ),
    CodeSpec(
        "not_fetched",
        ("usage",),
        "The model is not here, or several of its revisions are.",
        "Fetch it while there is a network, or name the revision.",
    ),
    CodeSpec(
        "unsafe_model_directory",
        ("usage",),
        "The model directory has links that lead out of it, or special files.",
        "If you trust it, make a plain copy and add that.",
    ),
    CodeSpec(
        "model_too_large",
        ("usage", "fatal", "refused"),
        "The model has a file larger than any that is served here, or there is not enough free "
        "memory for it beside the models that are held.",
        "Check that it is the right model; give the worker more memory or serve at half "
        "precision. A worker tries again by itself.",
    ),
    CodeSpec(
        "extra_missing",
        ("usage",),
        "The command needs a part of the package that is not installed.",
        "Install the extra that the message names.",
    ),
    CodeSpec(
        "bad_known_addresses",
        ("usage",),
        "The file of labelled addresses for mgeo model selfcheck cannot be used.",
        "The message names the line; write one JSON object with text and components per line.",
    ),
)
