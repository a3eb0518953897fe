import os

{% if cookiecutter.use_cli %}
from click import command
{% endif %}


def name_of(path):
    return os.path.basename(path)
