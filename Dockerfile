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
RUN useradd --system connector && install --directory --owner connector var
USER connector
ENV HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8000
CMD ["gunicorn", "app:app"]
