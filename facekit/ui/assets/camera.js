// The camera. Its stream never leaves the browser; single pictures do.
(function (facekit) {
  facekit.camera = {
    ask(wanted = { facingMode: "user" }) {
      if (!navigator.mediaDevices?.getUserMedia) return Promise.reject(new Error("no camera here"));
      return navigator.mediaDevices.getUserMedia({ video: { ...wanted, width: { ideal: 1280 } }, audio: false });
    },
    async start(video) {
      video.srcObject = await this.ask();
      await video.play();
    },
    take(video) {
      const canvas = facekit.h("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
    },
    stop(video) {
      video.srcObject?.getTracks().forEach((track) => track.stop());
      video.srcObject = null;
    },
  };
})(window.facekit);
