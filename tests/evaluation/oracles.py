"""The formulae of the scores written down once more, slowly and directly, in float64, for small arrays."""

import numpy as np
from scipy.signal import fftconvolve
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def errors(predicted, reference, mask):
    difference = predicted.astype(np.float64)[mask] - reference.astype(np.float64)[mask]
    return np.abs(difference).mean(), difference.mean()


def psnr(predicted, reference, mask, low, high):
    p, g = (np.clip(a.astype(np.float64), low, high)[mask] for a in (predicted, reference))
    return peak_signal_noise_ratio(g, p, data_range=high - low)


def masked_ssim(predicted, reference, mask, low, high):
    """SSIM of SynthRAD2023 with the window given, by the map of scikit-image."""
    p, g = (np.where(mask, np.clip(a.astype(np.float64), low, high), low) - low for a in (predicted, reference))
    _, found = structural_similarity(g, p, data_range=high - low, full=True)
    crop = (slice(3, -3),) * 3
    return found[crop][mask[crop]].mean()


def windows(values):
    """Every complete 7 x 7 x 7 window of an array, one row a window."""
    return np.lib.stride_tricks.sliding_window_view(values, (7, 7, 7)).reshape(*(n - 6 for n in values.shape), 343)


def moments(first, second):
    a, b = windows(first), windows(second)
    mean_a, mean_b = a.mean(-1), b.mean(-1)
    da, db = a - mean_a[..., None], b - mean_b[..., None]
    return mean_a, mean_b, (da * da).sum(-1) / 342, (db * db).sum(-1) / 342, (da * db).sum(-1) / 342


def direct_ssim(predicted, reference, mask, low, high):
    """The same without a filter: sums over every window, two passes."""
    p, g = (np.where(mask, np.clip(a.astype(np.float64), low, high), low) - low for a in (predicted, reference))
    ux, uy, vx, vy, vxy = moments(p, g)
    c1, c2 = (0.01 * (high - low)) ** 2, (0.03 * (high - low)) ** 2
    found = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux**2 + uy**2 + c1) * (vx + vy + c2))
    return found[mask[3:-3, 3:-3, 3:-3]].mean()


def ms_ssim(predicted, reference, mask, low, high):
    """MS-SSIM as metrics.md m2 describes the container, step by step."""
    p, g = (np.where(mask, np.clip(a.astype(np.float64), low, high), low) - low for a in (predicted, reference))
    pads = [((97 - n) // 2, 97 - n - (97 - n) // 2) if n < 97 else (0, 0) for n in p.shape]
    p, g, mask = (np.pad(a, pads, mode="edge") for a in (p, g, mask))
    c1, c2 = (0.01 * (high - low)) ** 2, (0.03 * (high - low)) ** 2
    product = 1.0
    for w in WEIGHTS:
        from scipy.ndimage import uniform_filter

        ux, uy = uniform_filter(p, 7), uniform_filter(g, 7)
        norm = 343 / 342
        vx = norm * (uniform_filter(p * p, 7) - ux * ux)
        vy = norm * (uniform_filter(g * g, 7) - uy * uy)
        vxy = norm * (uniform_filter(p * g, 7) - ux * uy)
        sx, sy = np.sqrt(np.maximum(vx, 0)), np.sqrt(np.maximum(vy, 0))
        luminance = (2 * ux * uy + c1) / (ux**2 + uy**2 + c1)
        contrast = (2 * sx * sy + c2) / (vx + vy + c2)
        structure = (vxy + c2 / 2) / (sx * sy + c2 / 2)
        level = np.maximum(luminance, 0) ** w * np.maximum(contrast, 0) ** w * np.maximum(structure, 0) ** w
        crop = (slice(3, -3),) * 3
        counted = mask[crop]
        value = level[crop][counted].mean() if counted.any() else np.nan
        product *= np.clip(value, 0, 1)
        p, g = (fftconvolve(a, np.ones((2, 2, 2)) / 8, mode="same")[::2, ::2, ::2] for a in (p, g))
        mask = mask[::2, ::2, ::2]
    return product
