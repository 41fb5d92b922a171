"""A pretend GPU: its tensors say ``cuda:0`` and are computed by the CPU.

It refuses what CUDA refuses, and counts what makes a GPU slow or wrong: kernels, waits of the CPU
for the device, and float32 products that TF32 would round. It can't know how fast a kernel is, nor
streams, nor what a driver does; a real GPU is needed for that.
"""

import sys
from collections import Counter
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_iter, tree_map

TORCH = "2.14.1"
"""The version whose private names are used here and in `installing`."""

# They give numbers whose count or value the CPU has to know before it goes on.
_WAITING = frozenset({
    "_local_scalar_dense", "equal", "is_nonzero", "masked_select", "nonzero", "unique_dim",
    "_unique", "_unique2", "bincount", "repeat_interleave",
})  # fmt: skip
_PRODUCTS = frozenset({"mm", "addmm", "bmm", "baddbmm", "addmv", "mv", "dot"})
_CONVOLUTIONS = frozenset({"convolution", "convolution_backward", "_convolution"})
# Indices may lie on the CPU, and are moved; so may single numbers where values are met pointwise.
_INDEXING = frozenset({"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"})
_TAKES_NUMBERS = frozenset({"where", "masked_fill", "masked_fill_", "fill_", "lerp", "lerp_"})
# What autocast computes in half precision, and what in single, as far as networks here need it.
_LOWERED = frozenset({
    "conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear", "matmul", "__matmul__", "mm", "bmm",
    "addmm", "baddbmm", "einsum", "scaled_dot_product_attention",
})  # fmt: skip
_RAISED = frozenset({
    "exp", "log", "log1p", "pow", "__pow__", "rsqrt", "reciprocal", "softmax", "log_softmax",
    "logsumexp", "softplus", "cross_entropy", "nll_loss", "binary_cross_entropy_with_logits",
    "mse_loss", "l1_loss", "smooth_l1_loss", "kl_div", "layer_norm", "group_norm", "norm", "sum",
    "prod", "cumsum", "cosine_similarity",
})  # fmt: skip
_NO_KERNEL = frozenset({"detach", "empty", "empty_like", "new_empty", "empty_strided", "set_"})


class Machine:
    """What the pretend machine has, and what was seen on it."""

    def __init__(self, gpus: int = 1, *, capability: tuple[int, int] = (9, 0)) -> None:
        self.gpus, self.capability, self.current = gpus, capability, 0
        self.total = self.free = 139 << 30
        self.kernels, self.waits, self.rounded = Counter(), Counter(), Counter()
        self.before = None
        """Told each kernel's name and tensors before it runs; may raise, as lack of memory does."""
        self.latest = torch.device("cuda", 0)
        """Where the last operation was done: in C++, where a tensor like another is made, too."""
        self._generators = {n: torch.Generator().manual_seed(n) for n in range(gpus)}

    def forget(self) -> None:
        """Count anew from here on."""
        for counter in (self.kernels, self.waits, self.rounded):
            counter.clear()

    def generator(self, device: torch.device | int | str | None = None) -> torch.Generator:
        """Return the one that a GPU draws from."""
        return self._generators[self.number(device)]

    def number(self, device: torch.device | int | str | None) -> int:
        """Return which GPU is meant; refuse one that isn't there, as CUDA does."""
        if isinstance(device, str | torch.device):
            device = torch.device(device).index
        found = self.current if device is None else device
        if not 0 <= found < self.gpus:
            raise RuntimeError("CUDA error: invalid device ordinal")
        return found

    def wait(self) -> None:
        """Note that the CPU waits for the device."""
        self.waits[_caller()] += 1


machine = Machine()


class OnGpu(Tensor):
    """A tensor of the pretend GPU: what autograd sees holds no numbers, ``held`` does."""

    @staticmethod
    def __new__(cls, held: Tensor, device: torch.device) -> "OnGpu":
        with torch._C._DisableTorchDispatch():
            # On "meta", as autograd would ask a CUDA device for its streams.
            room = held.untyped_storage().nbytes() // held.element_size()
            room = torch.empty(room, dtype=held.dtype, device="meta")
            shell = room.as_strided(held.size(), held.stride(), held.storage_offset())
        made = Tensor._make_subclass(cls, shell, False, device_for_backend_keys=device)
        made.held, made._device = held, device
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl
    is_cuda, is_cpu, is_meta = True, False, False

    @classmethod
    def __torch_dispatch__(cls, operation, _types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})

    @property
    def device(self) -> torch.device:
        return self._device

    def get_device(self) -> int:
        return self._device.index

    def to(self, *args, **kwargs) -> Tensor:
        # Torch would compare devices in C++, where this one is "meta".
        other = next((arg for arg in args if isinstance(arg, Tensor)), None)
        if other is not None:
            return self.to(other.device, other.dtype)
        asked = {name: value for name, value in kwargs.items() if name != "copy"}
        device, dtype, _, layout = torch._C._nn._parse_to(*args, **asked)
        stays = device is None or (
            device.type == "cuda" and machine.number(device) == self._device.index
        )
        laid_out = layout is None or self.is_contiguous(memory_format=layout)
        if stays and laid_out and dtype in (None, self.dtype) and not kwargs.get("copy"):
            return self
        return super().to(*args, **kwargs)

    def cuda(self, device=None) -> Tensor:
        return self.to(torch.device("cuda", machine.number(device)))

    def numpy(self, *, force: bool = False):
        if not force:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        return self.detach().cpu().numpy()

    def __array__(self, *_args, **_kwargs):
        return self.numpy()

    def tolist(self):
        return self.detach().cpu().tolist()

    # From numbers C++ would make tensors on "meta", where they get lost.
    def new_tensor(self, data, *, dtype=None, device=None, **options) -> Tensor:
        kind = dtype or self.dtype
        return torch.tensor(data, dtype=kind, device=device or self.device, **options)

    def __getitem__(self, index) -> Tensor:
        return super().__getitem__(_as_index(index))

    def __setitem__(self, index, value) -> None:
        super().__setitem__(_as_index(index), value)

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    @property
    def data(self) -> Tensor:
        return Tensor.data.__get__(self)

    @data.setter
    def data(self, value: Tensor) -> None:
        Tensor.data.__set__(self, value)
        self.held = value.held

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            with torch.no_grad():
                copy = OnGpu(self.held.clone(), self._device)
            if isinstance(self, torch.nn.Parameter):
                copy = torch.nn.Parameter(copy)
            memo[id(self)] = copy.requires_grad_(self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        machine.wait()
        held = self.held.detach()
        if isinstance(self, torch.nn.Parameter):
            held = torch.nn.Parameter(held, self.requires_grad)
        return held.__reduce_ex__(protocol)

    def __repr__(self, **_kwargs) -> str:
        return f"{self.held!r} on {self.device}"

    # What has these two is exchanged, and not overwritten, when a module moves elsewhere.
    def __tensor_flatten__(self):
        return ["held"], self._device

    @staticmethod
    def __tensor_unflatten__(inner, device, _size, _stride):
        return OnGpu(inner["held"], device)


class Pretending(TorchDispatchMode):
    """While it is on, tensors can be made on the pretend GPU."""

    def __torch_dispatch__(self, operation, _types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})


class Casting(TorchFunctionMode):
    """Casts as autocast of CUDA does, which passes by tensors that C++ takes for "meta"."""

    def __torch_function__(self, function, _types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, getattr(function, "__name__", "")
        if not torch.is_autocast_enabled("cuda") or name not in _LOWERED | _RAISED:
            return function(*args, **kwargs)
        dtype = torch.get_autocast_dtype("cuda") if name in _LOWERED else torch.float32

        def cast(value):
            known = isinstance(value, OnGpu) and value.is_floating_point()
            return value.to(dtype) if known and value.dtype != torch.float64 else value

        return function(*tree_map(cast, args), **tree_map(cast, kwargs))


def compute(operation, args, kwargs):
    """Do one operation of torch where its tensors lie, and refuse what CUDA refuses."""
    tensors = [each for each in tree_iter((args, kwargs)) if isinstance(each, Tensor)]
    ours = [each for each in tensors if isinstance(each, OnGpu)]
    target = _target(kwargs, ours)
    if ours:
        machine.latest = ours[0].device
    if not ours and (target is None or target.type != "cuda"):
        return operation(*args, **kwargs)
    if _is_composite(operation):  # in inference mode they come whole
        with Pretending():
            return operation.decompose(*args, **kwargs)
    name = operation._overloadpacket.__name__
    if name == "_to_copy":
        return _move(operation, args[0], target, kwargs)
    if name == "copy_":
        into, given = args[:2]
        operation(_held(into), _held(given), *args[2:])
        _count(name, ours, leaves=not isinstance(into, OnGpu))
        return into
    device = ours[0].device if ours else target
    _refuse_mixture(operation, name, args, tensors, ours)
    _count(name, ours, leaves=name in _WAITING)
    found = operation(*tree_map(_held, args), **_inner_options(operation, kwargs, device))
    known = {id(each.held): each for each in ours}

    def wrap(value):
        if not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else OnGpu(value, device)

    returns = operation._schema.returns
    views = any(each.alias_info and not each.alias_info.is_write for each in returns)
    # What is seen of a normal tensor stays normal, also in inference mode.
    normal = views and torch.is_inference_mode_enabled() and not ours[0].is_inference()
    with torch.inference_mode(not normal and torch.is_inference_mode_enabled()):
        wrapped = tree_map(wrap, found)
    if any(each.alias_info for each in returns):
        return return_and_correct_aliasing(operation, args, kwargs, wrapped)
    return wrapped


def _target(kwargs, ours) -> torch.device | None:
    """Return where an operation is told to put what it gives."""
    if kwargs.get("device") is None:
        return None
    device = torch.device(kwargs["device"])
    if device.type == "meta":  # as C++ takes our tensors for these, what it makes beside them is
        return ours[0].device if ours else machine.latest
    if device.type == "cuda":
        return torch.device("cuda", machine.number(device))
    return device


def _move(operation, given, target, kwargs):
    options = {n: v for n, v in kwargs.items() if n not in ("device", "pin_memory")}
    moved = operation(_held(given), **options)
    if target is None:
        target = given.device
    leaves = isinstance(given, OnGpu) and target.type == "cpu"
    _count("_to_copy", [given] if isinstance(given, OnGpu) else [], leaves=leaves)
    return OnGpu(moved, target) if target.type == "cuda" else moved


def _inner_options(operation, kwargs, device):
    """Return an operation's options as the CPU takes them."""
    options = {n: _held(v) for n, v in kwargs.items() if n not in ("device", "pin_memory")}
    asked = {argument.name for argument in operation._schema.arguments}
    if "device" in asked and "device" in kwargs:
        options["device"] = torch.device("cpu")
    if "generator" in asked:
        if options.get("generator") is not None:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        options["generator"] = machine.generator(device)
    return options


def _refuse_mixture(operation, name, args, tensors, ours) -> None:
    devices = [each.device for each in tensors]
    odd = [each for each in tensors if not isinstance(each, OnGpu)]
    if name in _INDEXING and isinstance(args[0], OnGpu):
        values = args[2] if len(args) > 2 else None
        odd = [values] if any(values is each for each in odd) else []
    numbers = torch.Tag.pointwise in operation.tags or name in _TAKES_NUMBERS
    if numbers or name in _INDEXING:
        odd = [each for each in odd if each.dim()]
    one = next((a for a, b in pairwise(each.device for each in ours) if a != b), None)
    if (odd and ours) or one is not None:
        both = " and ".join(sorted({str(device) for device in devices}))
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{both}! (aten::{name} at {_caller()})"
        )


def _count(name, ours, *, leaves: bool) -> None:
    if machine.before is not None:
        machine.before(name, ours)
    if name not in _NO_KERNEL:
        machine.kernels[name] += 1
    if leaves:
        machine.wait()
    if name in _PRODUCTS | _CONVOLUTIONS and any(each.dtype == torch.float32 for each in ours):
        conv, matmul = torch.backends.cudnn.conv, torch.backends.cuda.matmul
        switch = conv if name in _CONVOLUTIONS else matmul
        if switch.fp32_precision == "tf32":
            machine.rounded[f"{name} at {_caller()}"] += 1


def _as_index(index):
    if isinstance(index, tuple):
        return tuple(map(_as_index, index))
    return torch.tensor(index) if isinstance(index, list) else index


def _held(value):
    if isinstance(value, list | tuple):
        return type(value)(map(_held, value))
    return value.held if isinstance(value, OnGpu) else value


@cache
def _is_composite(operation) -> bool:
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), key)


def _caller() -> str:
    """Return file and line of the package that asked."""
    frame = sys._getframe(1)
    while frame is not None:
        _, package, file = frame.f_code.co_filename.rpartition("/xaibench/")
        if package and "/tests/" not in frame.f_code.co_filename:
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"
