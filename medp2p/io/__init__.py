"""Files to Volume and Regions, and back; one writer for every file. Formats are loaded when they are met."""

from medp2p.io.label_names import label_names
from medp2p.io.labels import read_label_table
from medp2p.io.names import (
    IMAGE_EXTENSIONS,
    INPUT_EXTENSIONS,
    PICTURE_EXTENSIONS,
    PICTURE_OUTPUTS,
    image_extension,
    image_files,
    image_stem,
    list_images,
    passed_over,
    picture_extension,
    refuse_file_name,
    sub_folders,
)
from medp2p.io.regions_read import read_regions
from medp2p.io.volumes import is_dicom, read_volume, refuse_unknown_format, write_volume

__all__ = [
    "IMAGE_EXTENSIONS",
    "INPUT_EXTENSIONS",
    "PICTURE_EXTENSIONS",
    "PICTURE_OUTPUTS",
    "image_extension",
    "image_files",
    "image_stem",
    "is_dicom",
    "label_names",
    "list_images",
    "passed_over",
    "picture_extension",
    "read_label_table",
    "read_regions",
    "read_volume",
    "refuse_file_name",
    "refuse_unknown_format",
    "sub_folders",
    "write_volume",
]
