"""What every run has in common: logs, checkpoints, pictures, processes."""

custom_imports = dict(imports=["ultrasam.mm"], allow_failed_imports=False)
default_scope = "mmdet"
randomness = dict(seed=0)

env_cfg = dict(
    cudnn_benchmark=False,
    # torch's own default of fork is kept on Linux: workers start at once and share the annotations.
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
# No device ids: each process has its model on its own device already, be it a GPU or not. A pass that is
# configured away leaves parameters unused.
model_wrapper_cfg = dict(
    type="MMDistributedDataParallel",
    device_ids=None,
    broadcast_buffers=False,
    find_unused_parameters=True,
)

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="MainLoggerHook", interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="WholeCheckpointHook", by_epoch=False, interval=2000, max_keep_ckpts=2),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    visualization=dict(type="PromptVisualizationHook"),
)
custom_hooks = [
    dict(type="ResumeHook"),
    dict(type="StepSeedHook"),
    dict(type="StopAtNonFiniteHook"),
    dict(type="PeakMemoryHook"),
]
log_processor = dict(by_epoch=False, window_size=50)
log_level = "INFO"

vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(type="DetLocalVisualizer", name="visualizer", vis_backends=vis_backends)

val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

load_from = None
resume = False
