"""The network in files of other runtimes: ONNX and torch.export."""

from ultrasam.export.graphs import DecoderGraph, EncoderGraph
from ultrasam.export.onnx_files import PRECISIONS, Exported, to_onnx, to_torch_export

__all__ = ["PRECISIONS", "DecoderGraph", "EncoderGraph", "Exported", "to_onnx", "to_torch_export"]
