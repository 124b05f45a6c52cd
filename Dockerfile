# The whole product; what it does is the command: see compose.yaml.
FROM python:3.11-slim
WORKDIR /srv/connector
COPY requirements.txt requirements-gevent.txt requirements-extras.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-gevent.txt -r requirements-extras.txt
COPY app.py gunicorn.conf.py ./
COPY connector ./connector
COPY profile_api ./profile_api
COPY schemas ./schemas
COPY wire ./wire
# For SQLite, where nothing else is set: mount a volume there to keep it.
RUN useradd --system --uid 10001 connector && install --directory --mode 700 --owner connector var
# The number, by which hosts see that it is not root.
USER 10001
ENV HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8000
# Of the web server; a worker has no door to knock at.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.getenv(\"PORT\", \"8000\")}/healthz', timeout=4)"]
CMD ["gunicorn", "app:app"]
